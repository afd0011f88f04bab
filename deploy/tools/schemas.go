package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An object is a JSON object of a schema.
type object = map[string]any

// writeSchemas writes one JSON schema per kind into dir, named as kubeconform looks them
// up (kind-group-version.json): of the built-in kinds from Kubernetes' own OpenAPI
// document, of the others from their CustomResourceDefinitions. The schemas are strict:
// a field that Kubernetes does not know is an error, as with strict field validation.
func writeSchemas(dir, swagger string, crds []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	builtin, err := writeBuiltin(dir, swagger)
	if err != nil {
		return fmt.Errorf("%s: %w", swagger, err)
	}
	custom := 0
	for _, path := range crds {
		n, err := writeCustom(dir, path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		custom += n
	}
	if builtin == 0 || (len(crds) > 0 && custom == 0) {
		return errors.New("found no kind: want Kubernetes' swagger.json, then CustomResourceDefinitions")
	}
	_, err = fmt.Printf("wrote %d schemas of Kubernetes and %d of others\n", builtin, custom)
	return err
}

func writeBuiltin(dir, swagger string) (int, error) {
	b, err := os.ReadFile(swagger)
	if err != nil {
		return 0, err
	}
	var doc struct {
		Definitions map[string]object `json:"definitions"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return 0, err
	}
	for name, d := range doc.Definitions {
		doc.Definitions[name] = strict(relax(name, d)).(object)
	}
	n := 0
	for name, d := range doc.Definitions {
		kinds, _ := d["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 { // DeleteOptions and the like belong to every group
			continue
		}
		gvk := kinds[0].(object)
		needed := map[string]object{}
		collect(doc.Definitions, name, needed)
		schema := object{"$ref": "#/definitions/" + name, "definitions": needed}
		if err := writeSchema(dir, text(gvk["kind"]), text(gvk["group"]), text(gvk["version"]), schema); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// relax allows what the OpenAPI document says in prose only: these two types are written
// as numbers, too.
func relax(name string, d object) object {
	if strings.HasSuffix(name, ".IntOrString") || strings.HasSuffix(name, ".Quantity") {
		return object{"type": []any{"string", "number"}}
	}
	return d
}

// strict forbids fields that are not named, wherever fields are named, and allows null
// where a field is optional, as Kubernetes does.
func strict(v any) any {
	switch v := v.(type) {
	case object:
		for k, sub := range v {
			v[k] = strict(sub)
		}
		_, named := v["properties"].(object)
		_, open := v["additionalProperties"]
		_, keep := v["x-kubernetes-preserve-unknown-fields"]
		if named && !open && !keep && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		if v["x-kubernetes-int-or-string"] == true {
			v["type"] = []any{"string", "integer"}
		}
		delete(v, "format") // int32 and date-time: not the validator's to judge
	case []any:
		for i, sub := range v {
			v[i] = strict(sub)
		}
	}
	return v
}

// collect puts a definition and all that it refers to into needed.
func collect(all map[string]object, name string, needed map[string]object) {
	if _, done := needed[name]; done {
		return
	}
	needed[name] = all[name]
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			if ref, ok := v["$ref"].(string); ok {
				collect(all, strings.TrimPrefix(ref, "#/definitions/"), needed)
			}
			for _, sub := range v {
				walk(sub)
			}
		case []any:
			for _, sub := range v {
				walk(sub)
			}
		}
	}
	walk(all[name])
}

// writeCustom reads a file of CustomResourceDefinitions; it may hold other objects, too.
func writeCustom(dir, path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n := 0
	for dec := yaml.NewDecoder(f); ; {
		var crd struct {
			Kind string
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct {
						OpenAPIV3Schema object `yaml:"openAPIV3Schema"`
					}
				}
			}
		}
		err := dec.Decode(&crd)
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		case crd.Kind != "CustomResourceDefinition":
			continue
		}
		for _, v := range crd.Spec.Versions {
			schema := strict(withMeta(v.Schema.OpenAPIV3Schema)).(object)
			if err := writeSchema(dir, crd.Spec.Names.Kind, crd.Spec.Group, v.Name, schema); err != nil {
				return n, err
			}
			n++
		}
	}
}

// withMeta names the fields that every object has; a definition may leave them out.
func withMeta(schema object) object {
	properties, ok := schema["properties"].(object)
	if !ok {
		return schema
	}
	for _, name := range []string{"apiVersion", "kind"} {
		properties[name] = object{"type": "string"}
	}
	properties["metadata"] = object{"type": "object"}
	return schema
}

func writeSchema(dir, kind, group, version string, schema object) error {
	name := strings.ToLower(kind) + "-" + version + ".json"
	if group != "" {
		name = strings.ToLower(kind) + "-" + strings.Split(group, ".")[0] + "-" + version + ".json"
	}
	b, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), b, 0o644)
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
