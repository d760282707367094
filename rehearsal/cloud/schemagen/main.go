// Schemagen writes rehearsal/cloud/schema.gz, the part of the AWS provider's Pulumi schema that the model needs.
//
//	go run ./rehearsal/cloud/schemagen schema.json > rehearsal/cloud/schema.gz
//
// schema.json is the provider's schema as `pulumi package get-schema aws` prints it, or a part of it. What a Fargate site
// cannot use is left out, and so is every description: the model needs names, types, and what replaces.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
)

var modules = strings.Fields(`acm appautoscaling backup budgets cloudtrail cloudwatch dynamodb ec2 ecr ecs elasticache iam
	index kinesis kms lb rds route53 s3 scheduler secretsmanager servicediscovery sesv2 sns sqs ssm vpc`)

// Of wafv2 only the web ACL, and of its statements only those that stand alone: spelled out in one another to the depth
// of three, as the provider does, they are nine thousand types.
const (
	webACL = "aws:wafv2/webAcl"
	nested = "And Or Not ScopeDown"
)

type property struct {
	Ref        string              `json:"$ref"`
	Type       string              `json:"type"`
	Items      *property           `json:"items"`
	Additional *property           `json:"additionalProperties"`
	Properties map[string]property `json:"properties"`
	Required   []string            `json:"required"`
	Secret     bool                `json:"secret"`
	Replaces   bool                `json:"willReplaceOnChanges"`
}

type resource struct {
	In       map[string]property `json:"inputProperties"`
	Out      map[string]property `json:"properties"`
	Required []string            `json:"requiredInputs"`
	Always   []string            `json:"required"`
}

// entry and kind are what the model decodes: see schema.go.
type entry struct {
	In       map[string]*kind `json:"in,omitempty"`
	Out      map[string]*kind `json:"out,omitempty"`
	Required []string         `json:"req,omitempty"`
	Always   []string         `json:"has,omitempty"`
}

type kind struct {
	Kind     string `json:"k"`
	Elem     *kind  `json:"e,omitempty"`
	Ref      string `json:"r,omitempty"`
	Secret   bool   `json:"s,omitempty"`
	Replaces bool   `json:"w,omitempty"`
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: schemagen schema.json > schema.gz")
	}
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if err := write(os.Stdout, data); err != nil {
		log.Fatal(err)
	}
}

func write(w io.Writer, data []byte) error {
	lines, err := entries(data)
	if err != nil {
		return err
	}
	zip, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		line, err := json.Marshal(lines[name])
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s %s\n", name, line)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return zip.Close()
}

// entries are the lines of the model's schema by name: the wanted resources and functions, and every type that they use.
func entries(data []byte) (map[string]entry, error) {
	var schema struct {
		Config    struct{ Variables map[string]property }
		Resources map[string]resource
		Functions map[string]struct{ Inputs, Outputs property }
		Types     map[string]property
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		return nil, err
	}
	lines := map[string]entry{"C config": {In: kinds(schema.Config.Variables)}}
	for token, r := range schema.Resources {
		if wanted(token) {
			lines["R "+token] = entry{In: kinds(r.In), Out: kinds(r.Out), Required: r.Required, Always: r.Always}
		}
	}
	for token, f := range schema.Functions {
		if wanted(token) {
			lines["F "+token] = entry{In: kinds(f.Inputs.Properties), Out: kinds(f.Outputs.Properties), Required: f.Inputs.Required}
		}
	}
	var todo []string
	for _, e := range lines {
		todo = append(todo, refs(e)...)
	}
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, done := lines["T "+name]; done {
			continue
		}
		t, ok := schema.Types[name]
		if !ok || strings.Contains(name, ":wafv2/") && slices.ContainsFunc(strings.Fields(nested), func(n string) bool {
			return strings.Contains(name, n+"Statement")
		}) {
			continue // the model takes a type that the schema does not spell out as it comes
		}
		e := entry{In: kinds(t.Properties), Required: t.Required}
		lines["T "+name] = e
		todo = append(todo, refs(e)...)
	}
	return lines, nil
}

func wanted(token string) bool {
	if strings.HasPrefix(token, webACL) {
		return true
	}
	_, rest, _ := strings.Cut(token, ":")
	module, _, _ := strings.Cut(rest, "/")
	return slices.Contains(modules, module)
}

func kinds(properties map[string]property) map[string]*kind {
	all := map[string]*kind{}
	for name, p := range properties {
		all[name] = kindOf(&p)
	}
	return all
}

func kindOf(p *property) *kind {
	k := &kind{Kind: p.Type, Secret: p.Secret, Replaces: p.Replaces}
	switch {
	case strings.HasSuffix(p.Ref, ":PolicyDocument"):
		k.Kind = "document"
	case strings.HasPrefix(p.Ref, "#/types/"):
		k.Kind, k.Ref = "object", strings.ReplaceAll(strings.TrimPrefix(p.Ref, "#/types/"), "%2F", "/")
	case p.Ref == "pulumi.json#/Asset" || p.Ref == "pulumi.json#/Archive":
		k.Kind = "asset"
	case p.Ref != "":
		k.Kind = "any"
	case p.Items != nil:
		k.Elem = kindOf(p.Items)
	case p.Type == "object" && p.Additional != nil:
		k.Kind, k.Elem = "map", kindOf(p.Additional)
	case p.Type == "object":
		k.Kind = "any"
	}
	return k
}

func refs(e entry) []string {
	var all []string
	var walk func(*kind)
	walk = func(k *kind) {
		if k == nil {
			return
		}
		if k.Ref != "" {
			all = append(all, k.Ref)
		}
		walk(k.Elem)
	}
	for _, k := range e.In {
		walk(k)
	}
	for _, k := range e.Out {
		walk(k)
	}
	return all
}
