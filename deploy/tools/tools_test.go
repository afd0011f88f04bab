package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestComposeFindings(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"fine":         {"services:\n  a:\n    image: docker.io/library/redis:7.4.2-alpine\n", ""},
		"moving tag":   {"services:\n  a:\n    image: redis:latest\n", "not pinned"},
		"no tag":       {"services:\n  a:\n    image: redis\n", "not pinned"},
		"unknown key":  {"services:\n  a:\n    image: redis:7.4.2\n    prts: []\n", "prts"},
		"missing file": {"services:\n  a:\n    image: redis:7.4.2\n    volumes: [\"./none.conf:/x\"]\n", "none.conf"},
		"unset":        {"services:\n  a:\n    image: redis:7.4.2\n    environment:\n      X: ${CITYFLOW_UNSET_IN_TESTS:?run setup}\n", "run setup"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkCompose(t.Context(), []string{write(t, "compose.yaml", "name: t\n"+c.file)})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestSchemasAreStrict(t *testing.T) {
	swagger := write(t, "swagger.json", `{"definitions": {
		"v1.Pod": {"type": "object", "properties": {"spec": {"$ref": "#/definitions/v1.Spec"}},
			"x-kubernetes-group-version-kind": [{"group": "", "kind": "Pod", "version": "v1"}]},
		"v1.Spec": {"type": "object", "properties": {"port": {"$ref": "#/definitions/x.IntOrString"}}},
		"x.IntOrString": {"type": "string", "format": "int-or-string"},
		"v1.Other": {"type": "object"}}}`)
	crd := write(t, "crd.yaml", `kind: CustomResourceDefinition
spec:
  group: things.example.com
  names: {kind: Thing}
  versions:
    - name: v1
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}}
`)
	dir := t.TempDir()
	if err := writeSchemas(dir, swagger, []string{crd}); err != nil {
		t.Fatal(err)
	}
	pod := readSchema(t, dir, "pod-v1.json")
	definitions := pod["definitions"].(object)
	if len(definitions) != 3 {
		t.Errorf("pod needs 3 definitions, got %d", len(definitions))
	}
	if definitions["v1.Spec"].(object)["additionalProperties"] != false {
		t.Error("a built-in kind takes unknown fields")
	}
	spec := readSchema(t, dir, "thing-things-v1.json")["properties"].(object)["spec"].(object)
	if spec["additionalProperties"] != false {
		t.Error("a custom kind takes unknown fields")
	}
}

func readSchema(t *testing.T, dir, name string) object {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	var schema object
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestUnknownMetricIsFound(t *testing.T) {
	known := families("# TYPE cityflow_a_total counter\n# TYPE cityflow_b_seconds histogram\n")
	for expr, name := range map[string]string{
		"rate(cityflow_c_total[5m])":    "cityflow_c_total",
		"cityflow_b_seconds":            "cityflow_b_seconds",
		"cityflow_a_total + cityflow:r": "cityflow:r",
	} {
		_, err := ask(t.Context(), "http://127.0.0.1:1", query{"panel", expr}, known)
		if err == nil || !strings.HasSuffix(err.Error(), "nothing exports "+name) {
			t.Errorf("%s: got %v", expr, err)
		}
	}
	if !known["cityflow_b_seconds_bucket"] {
		t.Error("the buckets of a histogram are not known")
	}
}
