package document

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page's template
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"go.yaml.in/yaml/v3"
)

//go:embed page.html
var pageText string

// A Document is the API's description, ready to send.
type Document struct {
	JSON, HTML []byte
	// Version names the content.
	Version string
}

// New reads an OpenAPI document in YAML.
func New(text []byte) (*Document, error) {
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("read OpenAPI document: %w", err)
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("convert OpenAPI document: %w", err)
	}
	var d spec
	if err := yaml.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("read OpenAPI document: %w", err)
	}
	page, err := d.render()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append(asJSON, page...))
	return &Document{JSON: asJSON, HTML: page, Version: hex.EncodeToString(sum[:8])}, nil
}

func (d *spec) render() ([]byte, error) {
	t, err := template.New("page").Funcs(template.FuncMap{
		"markdown": markdown,
		"describe": describe,
		"last":     last,
		"upper":    strings.ToUpper,
		"open":     func(o operation) bool { return o.Security != nil && len(*o.Security) == 0 },
		"param":    d.parameter,
		"contains": slices.Contains[[]string],
	}).Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("parse page template: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, d); err != nil {
		return nil, fmt.Errorf("render OpenAPI document: %w", err)
	}
	return out.Bytes(), nil
}

// markdown renders a description. Raw HTML in it is left out (goldmark's default).
func markdown(text string) (template.HTML, error) {
	var out bytes.Buffer
	if err := goldmark.Convert([]byte(text), &out); err != nil {
		return "", fmt.Errorf("render description: %w", err)
	}
	return template.HTML(out.String()), nil //nolint:gosec // rendered from our own document
}

// last is the name that a reference ends with.
func last(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }
