module github.com/2zrhun/city-flow/cloud/predictor

go 1.26.0

require github.com/2zrhun/city-flow/shared v0.0.0

require gonum.org/v1/gonum v0.17.0 // indirect

replace github.com/2zrhun/city-flow/shared => ../../shared
