module github.com/2zrhun/city-flow/standalone

go 1.26.0

require github.com/2zrhun/city-flow/shared v0.0.0

replace github.com/2zrhun/city-flow/shared => ../shared
