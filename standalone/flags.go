package main

import (
	"time"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/cloud/predictor"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/upkeep"
)

// upFlags are the flags of `cityflow up` beside the data folder.
func upFlags(set *daemon.Settings) []cli.Flag {
	flags := []cli.Flag{
		text(set, "source", "auto", "where readings come from: auto, paris (live), replay (files), city (synthetic) or none"),
		&cli.StringSliceFlag{
			Name: "file", Sources: set.Sources("file"), TakesFile: true,
			Usage: "`FILE` to replay; may be given several times",
		},
		text(set, "speed", "1", "how many seconds of event time pass in a second: 1, 60, … or max"),
		text(set, "roads", "", "`FILE` with the road network to import"),
		text(set, "http-addr", ":8080", "`ADDRESS` of dashboard and API"),
		text(set, "mqtt-addr", ":1883", "`ADDRESS` of the MQTT broker"),
		zoneFlag(set),
	}
	flags = append(flags, parisFlag(set))
	flags = append(flags, replayFlags(set)...)
	flags = append(flags, cityFlags(set)...)
	flags = append(flags, forecastFlags(set)...)
	flags = append(flags, upkeep.Flags(set)...)
	return append(flags, accessFlags(set)...)
}

func zoneFlag(set *daemon.Settings) cli.Flag {
	return text(set, "tz", "Europe/Paris", "the city's time `ZONE`")
}

func replayFlags(set *daemon.Settings) []cli.Flag {
	return []cli.Flag{
		text(set, "columns", "", "replay: the columns of long tables, ts=…,sensor=…,flow=…,speed=…,occupancy=…,road=…"),
		text(set, "units", "", "replay: units of files that do not say theirs: mph or kmh, veh/h or veh/15min, % or fraction"),
		text(set, "start", "", "replay: `TIME` of the first row of wide tables without a time column"),
		&cli.DurationFlag{Name: "step", Sources: set.Sources("step"), Usage: "replay: time between two rows of such tables, or the length of an interval"},
		text(set, "stamp", "begin", "replay: whether times name the begin or the end of an interval"),
		text(set, "places", "", "replay: `FILE` with the positions of the sensors: id, latitude, longitude"),
	}
}

// parisFlag is apart: only a test or a mirror needs it.
func parisFlag(set *daemon.Settings) cli.Flag {
	return text(set, "paris-url", "", "paris: base `URL` of the counts' Explore API, where it is not the city's own")
}

func cityFlags(set *daemon.Settings) []cli.Flag {
	return []cli.Flag{
		&cli.UintFlag{Name: "seed", Value: 1, Sources: set.Sources("seed"), Usage: "city: the `NUMBER` that everything is drawn from"},
		&cli.IntFlag{Name: "city-roads", Value: 1000, Sources: set.Sources("city-roads"), Usage: "city: about how many `ROADS` to generate when no network was imported"},
		&cli.DurationFlag{Name: "city-interval", Value: time.Minute, Sources: set.Sources("city-interval"), Usage: "city: how often each sensor reports"},
		&cli.FloatFlag{Name: "city-demand", Value: 1, Sources: set.Sources("city-demand"), Usage: "city: number of trips, 1 being a usual day"},
	}
}

func forecastFlags(set *daemon.Settings) []cli.Flag {
	d := predictor.Default()
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "models", Value: d.Models, Sources: set.Sources("models"), Usage: "`NAMES` of the forecasting models that may speak, separated by commas, in the order in which they do before their errors are known"},
		text(set, "holidays", d.Holidays, "`COUNTRY` whose public holidays are like Sundays: FR, or empty for none"),
		&cli.BoolFlag{Name: "train", Value: !d.Training.Off, Sources: set.Sources("train"), Usage: "train the models every night"},
	}
}

func accessFlags(set *daemon.Settings) []cli.Flag {
	return []cli.Flag{
		text(set, "admin-email", "admin@localhost", "`E-MAIL` of the first admin"),
		text(set, "admin-password", "", "`PASSWORD` of the first admin; a random one is printed once when empty"),
		&cli.BoolFlag{Name: "registration", Value: true, Sources: set.Sources("registration"), Usage: "let visitors make themselves an account that may look"},
		text(set, "mqtt-username", "", "`NAME` that sensors on other machines log in with; without one they are refused"),
		text(set, "mqtt-password", "", "`PASSWORD` that goes with it"),
		text(set, "mqtt-tls-addr", "", "second `ADDRESS` of the MQTT broker, encrypted, for edges with a certificate; needs a certificate of its own"),
		text(set, "mqtt-tls-cert", "", "`FILE` with that certificate (PEM)"),
		text(set, "mqtt-tls-key", "", "`FILE` with its key (PEM)"),
		text(set, "edge-id", "local", "`NAME` of the edge agent inside this process"),
	}
}

func text(set *daemon.Settings, name, value, usage string) cli.Flag {
	return &cli.StringFlag{Name: name, Value: value, Sources: set.Sources(name), Usage: usage}
}
