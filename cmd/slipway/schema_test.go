package main

import (
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/check"
	"slipway/operation"
)

// Scripts compare what a command wrote on one occasion with its schema, so a field that is rarely there escapes them: that a stack is
// paused, or that a Dockerfile is generated. Here every field that a result can have is compared.
func TestTheSchemasHaveEveryField(t *testing.T) {
	for command, result := range map[string]any{
		"check": check.Report{}, "doctor": operation.Checkup{}, "pause": operation.Pausing{},
		"restart": operation.Restarted{}, "resume": operation.Resumed{}, "scale": operation.Scaled{}, "stacks": []operation.Environment{},
		"status": operation.Status{},
	} {
		text, err := schemas.Of(command)
		if err != nil {
			t.Error(err)
			continue
		}
		s := described{t: t}
		if err := json.Unmarshal(text, &s.root); err != nil {
			t.Fatal(err)
		}
		s.compare(command, reflect.TypeOf(result), s.root)
		if s.fields < 5 {
			t.Errorf("%s: only %d fields were compared", command, s.fields)
		}
	}
}

// A described is a schema that is compared with a type.
type described struct {
	t      *testing.T
	root   map[string]any
	fields int
}

// compare reports the fields that a type has and its schema lacks, and those that the schema has and the type lacks.
func (d *described) compare(at string, of reflect.Type, schema map[string]any) {
	if ref, ok := schema["$ref"].(string); ok {
		all, _ := d.root["$defs"].(map[string]any)
		schema, _ = all[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch {
	case of == reflect.TypeFor[time.Time](), of.Implements(reflect.TypeFor[encoding.TextMarshaler]()),
		of.Implements(reflect.TypeFor[json.Marshaler]()):
		return
	case of.Kind() == reflect.Slice:
		if items, ok := schema["items"].(map[string]any); ok {
			d.compare(at+"[]", of.Elem(), items)
		}
		return
	case of.Kind() != reflect.Struct:
		return
	}
	properties, ok := schema["properties"].(map[string]any)
	if _, closed := schema["additionalProperties"]; !ok && !closed && schema["type"] == "object" {
		return // the schema describes nothing below this
	}
	fields := fieldsOf(of)
	d.fields += len(fields)
	for name, field := range fields {
		property, there := properties[name].(map[string]any)
		if !there {
			d.t.Errorf("%s: the result can have %s, which the schema lacks", at, name)
			continue
		}
		d.compare(at+"."+name, field, property)
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if fields[name] == nil {
			d.t.Errorf("%s: the schema has %s, which no result has", at, name)
		}
	}
}

// fieldsOf are the fields of a type by their names in JSON, with those of the types that it embeds.
func fieldsOf(of reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			maps.Copy(all, fieldsOf(field.Type))
		case field.IsExported() && name != "-":
			if name == "" {
				name = field.Name
			}
			all[name] = field.Type
		}
	}
	return all
}
