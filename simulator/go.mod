module github.com/2zrhun/city-flow/simulator

go 1.26.0

require github.com/2zrhun/city-flow/shared v0.0.0

require (
	github.com/eclipse/paho.mqtt.golang v1.5.1 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	golang.org/x/net v0.44.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
)

replace github.com/2zrhun/city-flow/shared => ../shared
