package document

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// spec is the part of an OpenAPI document that the page shows.
type spec struct {
	Info struct {
		Title, Version, Description string
	}
	Tags []struct {
		Name, Description string
	}
	Paths      ordered[pathItem]
	Components struct {
		Schemas       ordered[schema]
		Parameters    ordered[parameter]
		Responses     ordered[response]
		RequestBodies ordered[requestBody] `yaml:"requestBodies"`
	}
}

// pathItem holds operations by their HTTP method.
type pathItem map[string]operation

// operation is one thing that a client can ask for. A nil Security inherits the
// document's, an empty one asks for nothing.
type operation struct {
	OperationID string `yaml:"operationId"`
	Tags        []string
	Summary     string
	Description string
	Security    *[]map[string][]string
	Parameters  []parameter
	RequestBody *requestBody `yaml:"requestBody"`
	Responses   ordered[response]
}

// parameter is one parameter, or a reference to a shared one.
type parameter struct {
	Ref         string `yaml:"$ref"`
	Name        string
	In          string
	Required    bool
	Description string
	Schema      schema
}

// requestBody is a body, or a reference to a shared one.
type requestBody struct {
	Ref     string `yaml:"$ref"`
	Content ordered[media]
}

// response is an answer, or a reference to a shared one.
type response struct {
	Ref         string `yaml:"$ref"`
	Description string
	Content     ordered[media]
}

type media struct {
	Schema schema
}

// schema is what the page shows of a JSON schema. Type and Default may be scalars or
// lists, so they stay nodes.
type schema struct {
	Ref         string    `yaml:"$ref"`
	Type        yaml.Node `yaml:"type"`
	Format      string
	Description string
	Enum        []string
	Const       string
	Pattern     string
	Default     yaml.Node
	Minimum     *float64
	Maximum     *float64
	MinLength   *int `yaml:"minLength"`
	MaxLength   *int `yaml:"maxLength"`
	Items       *schema
	Properties  ordered[schema]
	Required    []string
	OneOf       []schema `yaml:"oneOf"`
}

// ordered is a mapping in the order in which it was written.
type ordered[T any] []entry[T]

type entry[T any] struct {
	Key   string
	Value T
}

// UnmarshalYAML reads a mapping.
func (o *ordered[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want a mapping", n.Line)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := entry[T]{Key: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&e.Value); err != nil {
			return fmt.Errorf("%s: %w", e.Key, err)
		}
		*o = append(*o, e)
	}
	return nil
}

func (o ordered[T]) find(key string) (T, bool) {
	for _, e := range o {
		if e.Key == key {
			return e.Value, true
		}
	}
	var none T
	return none, false
}

// method is one operation with its address, for the page.
type method struct {
	Path, Verb string
	Op         operation
}

// Under lists the operations with a tag.
func (d *spec) Under(tag string) []method {
	var out []method
	for _, p := range d.Paths {
		for verb, op := range p.Value {
			if slices.Contains(op.Tags, tag) {
				out = append(out, method{p.Key, verb, op})
			}
		}
	}
	return out
}

// parameter resolves a reference to a shared parameter.
func (d *spec) parameter(p parameter) (parameter, error) {
	if p.Ref == "" {
		return p, nil
	}
	shared, ok := d.Components.Parameters.find(last(p.Ref))
	if !ok {
		return p, fmt.Errorf("parameter %s does not exist", p.Ref)
	}
	return shared, nil
}

// Body is the schema of a request's body.
func (d *spec) Body(b *requestBody) (schema, error) {
	body := *b
	if b.Ref != "" {
		shared, ok := d.Components.RequestBodies.find(last(b.Ref))
		if !ok {
			return schema{}, fmt.Errorf("request body %s does not exist", b.Ref)
		}
		body = shared
	}
	if len(body.Content) == 0 {
		return schema{}, fmt.Errorf("request body without content")
	}
	return body.Content[0].Value.Schema, nil
}

// Answer resolves a reference to a shared response.
func (d *spec) Answer(r response) (response, error) {
	if r.Ref == "" {
		return r, nil
	}
	shared, ok := d.Components.Responses.find(last(r.Ref))
	if !ok {
		return r, fmt.Errorf("response %s does not exist", r.Ref)
	}
	return shared, nil
}

// describe says in a few words what a schema takes.
func describe(s schema) template.HTML {
	esc := template.HTMLEscapeString
	if s.Ref != "" {
		name := esc(last(s.Ref))
		return template.HTML(`<a href="#schema-` + name + `">` + name + `</a>`) //nolint:gosec // escaped above
	}
	var words []string
	if s.Const != "" {
		words = append(words, "always <code>"+esc(s.Const)+"</code>")
	} else if t := typeOf(s); t != "" {
		words = append(words, t)
	}
	for _, one := range s.OneOf {
		words = append(words, string(describe(one)))
	}
	if s.Format != "" {
		words = append(words, esc(s.Format))
	}
	if len(s.Enum) > 0 {
		words = append(words, "one of <code>"+esc(strings.Join(s.Enum, ", "))+"</code>")
	}
	if r := rangeOf(s); r != "" {
		words = append(words, r)
	}
	if s.Default.Kind != 0 {
		words = append(words, "default <code>"+esc(plain(&s.Default))+"</code>")
	}
	return template.HTML(strings.Join(words, ", ")) //nolint:gosec // every part is escaped or ours
}

// typeOf names the type; several are joined by "or".
func typeOf(s schema) string {
	if s.Type.Kind == 0 {
		return ""
	}
	t := strings.ReplaceAll(plain(&s.Type), ", ", " or ")
	if s.Items != nil {
		t += " of " + string(describe(*s.Items))
	}
	return t
}

// rangeOf says what values are allowed.
func rangeOf(s schema) string {
	var out []string
	if s.Minimum != nil {
		out = append(out, fmt.Sprintf("from %g", *s.Minimum))
	}
	if s.Maximum != nil {
		out = append(out, fmt.Sprintf("to %.16g", *s.Maximum))
	}
	if s.MinLength != nil && *s.MinLength > 1 {
		out = append(out, fmt.Sprintf("at least %d characters", *s.MinLength))
	}
	if s.MaxLength != nil {
		out = append(out, fmt.Sprintf("at most %d characters", *s.MaxLength))
	}
	return strings.Join(out, " ")
}

// plain writes a scalar, or a list with commas.
func plain(n *yaml.Node) string {
	if n.Kind != yaml.SequenceNode {
		return n.Value
	}
	parts := make([]string, len(n.Content))
	for i, c := range n.Content {
		parts[i] = c.Value
	}
	return strings.Join(parts, ", ")
}
