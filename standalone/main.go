package main

import "github.com/2zrhun/city-flow/shared/daemon"

func main() { daemon.Main(command()) }
