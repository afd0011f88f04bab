module github.com/2zrhun/city-flow/dashboard

go 1.26.0

ignore ./node_modules
