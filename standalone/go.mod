module github.com/2zrhun/city-flow/standalone

go 1.26.0

require (
	github.com/2zrhun/city-flow/cloud/api v0.0.0
	github.com/2zrhun/city-flow/cloud/collector v0.0.0
	github.com/2zrhun/city-flow/cloud/predictor v0.0.0
	github.com/2zrhun/city-flow/cloud/rerouter v0.0.0
	github.com/2zrhun/city-flow/dashboard v0.0.0
	github.com/2zrhun/city-flow/edge v0.0.0
	github.com/2zrhun/city-flow/shared v0.0.0
	github.com/2zrhun/city-flow/simulator v0.0.0
)

require (
	github.com/gofrs/flock v0.13.2 // indirect
	github.com/urfave/cli/v3 v3.14.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace (
	github.com/2zrhun/city-flow/cloud/api => ../cloud/api
	github.com/2zrhun/city-flow/cloud/collector => ../cloud/collector
	github.com/2zrhun/city-flow/cloud/predictor => ../cloud/predictor
	github.com/2zrhun/city-flow/cloud/rerouter => ../cloud/rerouter
	github.com/2zrhun/city-flow/dashboard => ../dashboard
	github.com/2zrhun/city-flow/edge => ../edge
	github.com/2zrhun/city-flow/shared => ../shared
	github.com/2zrhun/city-flow/simulator => ../simulator
)
