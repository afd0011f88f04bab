package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/cloud/api/internal/document"
)

// noStore is enough to build an API that nobody asks anything.
type noStore struct{ Store }

// The document and the router name the same operations.
func TestEveryRouteIsDocumentedAndTheOtherWayRound(t *testing.T) {
	cfg := Default()
	cfg.TokenKey = make([]byte, 32)
	a, err := New(cfg, Parts{Store: noStore{}, Metrics: prometheus.NewRegistry()}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := document.New(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	var tree struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(doc.JSON, &tree); err != nil {
		t.Fatal(err)
	}
	var documented []string
	for path, ops := range tree.Paths {
		for verb := range ops {
			documented = append(documented, strings.ToUpper(verb)+" "+path)
		}
	}
	routes := a.server.Routes()
	for _, r := range routes {
		if !slices.Contains(documented, r) {
			t.Errorf("%s is not in openapi.yaml", r)
		}
	}
	for _, d := range documented {
		if !slices.Contains(routes, d) {
			t.Errorf("%s is in openapi.yaml and nowhere else", d)
		}
	}
	if len(routes) < 18 {
		t.Errorf("only %d routes", len(routes))
	}
}

func TestDocumentIsValidOpenAPI(t *testing.T) {
	d, err := libopenapi.NewDocument(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(d)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, errs := v.ValidateDocument(); !ok {
		for _, e := range errs {
			t.Errorf("%s: %s", e.Message, e.Reason)
			for _, s := range e.SchemaValidationErrors {
				t.Errorf("  %s at %s", s.Reason, s.KeywordLocation)
			}
		}
	}
}
