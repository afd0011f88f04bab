package document_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/cloud/api/internal/document"
)

func read(t *testing.T) *document.Document {
	t.Helper()
	text, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := document.New(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPageShowsEveryOperationAndSchema(t *testing.T) {
	d := read(t)
	var tree struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(d.JSON, &tree); err != nil {
		t.Fatal(err)
	}
	page := string(d.HTML)
	if len(tree.Paths) < 15 || len(tree.Components.Schemas) < 30 {
		t.Fatalf("%d paths, %d schemas: the document was not read", len(tree.Paths), len(tree.Components.Schemas))
	}
	for path, ops := range tree.Paths {
		for _, op := range ops {
			if !strings.Contains(page, `id="`+op.OperationID+`"`) || !strings.Contains(page, path) {
				t.Errorf("the page does not show %s (%s)", op.OperationID, path)
			}
		}
	}
	for name := range tree.Components.Schemas {
		if !strings.Contains(page, `id="schema-`+name+`"`) {
			t.Errorf("the page does not show schema %s", name)
		}
	}
}

func TestPageNeedsNothingFromElsewhere(t *testing.T) {
	page := string(read(t).HTML)
	for _, bad := range []string{"<script", "<link", "<img", "http://", "@import", "url("} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
}

func TestLinksOfThePageLeadSomewhere(t *testing.T) {
	page := string(read(t).HTML)
	parts := strings.Split(page, `href="#`)[1:]
	if len(parts) < 50 {
		t.Fatalf("%d links", len(parts))
	}
	for _, p := range parts {
		id := p[:strings.IndexByte(p, '"')]
		if !strings.Contains(page, `id="`+id+`"`) {
			t.Errorf("link to #%s leads nowhere", id)
		}
	}
}

func TestDocumentThatCannotBeShown(t *testing.T) {
	for name, text := range map[string]string{
		"no YAML":        "a: [",
		"unknown param":  "tags: [{name: x}]\npaths: {/a: {get: {tags: [x], operationId: a, parameters: [{$ref: '#/components/parameters/No'}]}}}",
		"unknown answer": "tags: [{name: x}]\npaths: {/a: {get: {tags: [x], operationId: a, responses: {'200': {$ref: '#/components/responses/No'}}}}}",
		"paths no map":   "paths: [a]",
	} {
		if _, err := document.New([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
