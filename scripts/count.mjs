// count.mjs GO_JSON VITEST_JSON [FAILED_STEP…]: shows what failed or was skipped and
// why, and prints the closing line "N passed, N failed, N skipped".
import { existsSync, readFileSync } from 'node:fs'

const [goFile, vitestFile, ...failedSteps] = process.argv.slice(2)
const count = { pass: 0, fail: 0, skip: 0 }
const key = (e) => `${e.Package ?? e.ImportPath} ${e.Test ?? ''}`

const output = new Map()
const failedTests = new Set()
const skipped = []
const events = readFileSync(goFile, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))

for (const e of events) {
  if (e.Output !== undefined) {
    output.set(key(e), (output.get(key(e)) ?? '') + e.Output)
    continue
  }
  if (!(e.Action in count)) continue
  if (e.Test !== undefined) {
    count[e.Action]++
    if (e.Action === 'fail') failedTests.add(e.Package)
    if (e.Action === 'skip') skipped.push(e)
  } else if (e.Action === 'fail' && !failedTests.has(e.Package)) {
    count.fail++ // the package did not build, crashed, or leaked
  } else continue
  if (e.Action === 'fail') console.log(`FAIL ${key(e)}\n${output.get(key(e)) ?? ''}`)
}
for (const e of events) {
  if (e.Action === 'build-output') process.stdout.write(e.Output)
}
for (const e of skipped) {
  const why = (output.get(key(e)) ?? '').split('\n').find((l) => /^\s+\S+\.go:\d+:/.test(l))
  console.log(`skip ${key(e)}: ${why?.trim() ?? ''}`)
}
if (count.pass === 0) failedSteps.push('go test (no test ran)')

if (existsSync(vitestFile)) {
  const v = JSON.parse(readFileSync(vitestFile, 'utf8'))
  count.pass += v.numPassedTests
  count.fail += v.numFailedTests
  count.skip += v.numPendingTests + v.numTodoTests
} else if (!failedSteps.includes('dashboard test')) {
  failedSteps.push('dashboard test (no result)')
}

for (const step of failedSteps) console.log(`FAIL step: ${step}`)
count.fail += failedSteps.length
console.log(`${count.pass} passed, ${count.fail} failed, ${count.skip} skipped`)
process.exit(count.fail === 0 ? 0 : 1)
