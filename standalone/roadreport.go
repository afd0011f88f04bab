package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/2zrhun/city-flow/shared/atomicfile"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/match"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/simulator/progress"
)

// A roadImport is one run of `cityflow import roads`.
type roadImport struct {
	store   store.RoadWriter
	log     *slog.Logger
	out     io.Writer
	meter   *progress.Meter
	country string
	sensors *sensorFile // nil when none are to be matched

	network *roadnet.Network // the last one imported
	results []roadFile
}

// A roadFile is what --report says about one file.
type roadFile struct {
	File    string          `json:"file"`
	Report  *roadnet.Report `json:"report"`
	Sensors *match.Report   `json:"sensors,omitempty"`
}

// A sensorFile is what --sensors named.
type sensorFile struct {
	path    string
	sensors []match.Sensor
	refused []string
}

// readSensors reads the file of --sensors; nil without one.
func readSensors(ctx context.Context, path string) (*sensorFile, error) {
	if path == "" {
		return nil, nil
	}
	sensors, refused, err := match.Read(ctx, path)
	if err != nil {
		return nil, err
	}
	return &sensorFile{path: path, sensors: sensors, refused: refused}, nil
}

// tell prints the size of a network, then what was dropped, then what is unusual.
func (i *roadImport) tell(path string, r *roadnet.Report) {
	fmt.Fprintf(i.out, "%s: %s, %d roads, %d junctions, %.1f km, %d forbidden turns; %d roads can all reach each other\n",
		path, r.Format, r.Roads, r.Nodes, r.LengthM/1000, r.Turns, r.CoreRoads)
	for _, dropped := range []bool{true, false} {
		title := map[bool]string{true: "  dropped:", false: "  worth a look:"}[dropped]
		for _, t := range r.Tallies() {
			if t.Dropped != dropped {
				continue
			}
			if title != "" {
				fmt.Fprintln(i.out, title)
				title = ""
			}
			fmt.Fprintf(i.out, "    %s\n", t)
		}
	}
}

// match matches the sensors to a network and prints what came of it.
func (i *roadImport) match(net *roadnet.Network) (*match.Report, error) {
	rep, err := match.Match(roadnet.NewIndex(net.Roads), i.sensors.sensors, match.DefaultConfig())
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(i.out, "%s: %s", i.sensors.path, rep)
	const most = 10
	for _, outcome := range []match.Outcome{match.Ambiguous, match.TooFar} {
		shown := 0
		for k := range rep.Results {
			r := &rep.Results[k]
			if r.Outcome != outcome || shown == most {
				continue
			}
			shown++
			fmt.Fprintf(i.out, "    %s\n", r)
		}
	}
	for k, line := range i.sensors.refused {
		if k == most {
			fmt.Fprintf(i.out, "    … and %d more rows refused\n", len(i.sensors.refused)-most)
			break
		}
		fmt.Fprintf(i.out, "    refused: %s\n", line)
	}
	return rep, nil
}

// save writes the network as one compact file; nothing when path is empty.
func (i *roadImport) save(path string) error {
	if path == "" {
		return nil
	}
	return roadnet.Save(path, i.network)
}

// writeReport writes all results as JSON; nothing when path is empty.
func (i *roadImport) writeReport(path string) error {
	if path == "" {
		return nil
	}
	out := struct {
		Files          []roadFile `json:"files"`
		RefusedSensors []string   `json:"refused_sensors,omitempty"`
	}{Files: i.results}
	if i.sensors != nil {
		out.RefusedSensors = i.sensors.refused
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	return atomicfile.Write(path, append(text, '\n'), 0o644)
}
