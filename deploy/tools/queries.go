package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A query is an expression and where it stands.
type query struct{ where, expr string }

// checkQueries takes every query of the files, looks up the metrics that it names in the
// page that a running CityFlow served, and lets a running Prometheus answer it.
func checkQueries(ctx context.Context, metrics, promURL string, paths []string) error {
	page, err := os.ReadFile(metrics)
	if err != nil {
		return err
	}
	known := families(string(page))
	var all []query
	for _, path := range paths {
		queries, err := readQueries(path, known)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if len(queries) == 0 {
			return fmt.Errorf("%s: holds no query", path)
		}
		all = append(all, queries...)
	}
	var errs []error
	answered := 0
	for _, q := range all {
		n, err := ask(ctx, promURL, q, known)
		if err != nil {
			errs = append(errs, err)
		}
		if n > 0 {
			answered++
		}
	}
	fmt.Printf("%d queries, %d of them with an answer now\n", len(all), answered)
	return errors.Join(errs...)
}

var typeLine = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)

// families are the names that queries may use, of the metrics on a page.
func families(page string) map[string]bool {
	names := map[string]bool{}
	for _, m := range typeLine.FindAllStringSubmatch(page, -1) {
		switch name := m[1]; m[2] {
		case "histogram", "summary":
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				names[name+suffix] = true
			}
		default:
			names[name] = true
		}
	}
	return names
}

// readQueries reads the queries of a rule file or a dashboard. What a rule records is
// known from then on.
func readQueries(path string, known map[string]bool) ([]query, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if filepath.Ext(path) == ".json" {
		return dashboardQueries(b)
	}
	var file struct {
		Groups []struct {
			Rules []struct{ Record, Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	var queries []query
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				known[r.Record] = true
			}
			queries = append(queries, query{r.Record + r.Alert, r.Expr})
		}
	}
	return queries, nil
}

func dashboardQueries(b []byte) ([]query, error) {
	var board struct {
		Title  string
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &board); err != nil {
		return nil, err
	}
	var queries []query
	for _, p := range board.Panels {
		for _, t := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$__range", "5m", "$job", ".*").Replace(t.Expr)
			queries = append(queries, query{board.Title + " / " + p.Title, expr})
		}
	}
	return queries, nil
}

// own finds our metrics' names, and those of the rules that record them.
var own = regexp.MustCompile(`\bcityflow[_:][a-zA-Z0-9_:]+`)

// ask checks the names in a query, has Prometheus answer it, and says with how many
// series.
func ask(ctx context.Context, promURL string, q query, known map[string]bool) (int, error) {
	for _, name := range own.FindAllString(q.expr, -1) {
		if !known[name] {
			return 0, fmt.Errorf("%s: nothing exports %s", q.where, name)
		}
	}
	b, err := get(ctx, promURL+"/api/v1/query?query="+url.QueryEscape(q.expr))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", q.where, err)
	}
	var answer struct{ Data struct{ Result []any } }
	if err := json.Unmarshal(b, &answer); err != nil {
		return 0, fmt.Errorf("%s: %w", q.where, err)
	}
	return len(answer.Data.Result), nil
}

func get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", address, resp.Status, b)
	}
	return b, err
}
