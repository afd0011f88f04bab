-- Writes the states of roads into a hash unless what is there is newer.
-- KEYS[1]: the hash. ARGV: road id, JSON that begins with its ts, and so on.
local begins = '^{"ts":"([^"]+)"'
local written = 0
for i = 1, #ARGV, 2 do
  local old = redis.call('HGET', KEYS[1], ARGV[i])
  local had = old and string.match(old, begins)
  if not had or had <= string.match(ARGV[i + 1], begins) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    written = written + 1
  end
end
return written
