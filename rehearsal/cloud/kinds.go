package cloud

import (
	"fmt"
	"slices"
	"sync"
)

// awsRegistry holds everything that the model knows about AWS.
var awsRegistry = sync.OnceValue(func() *registry {
	return newRegistry(slices.Concat(
		ec2Kinds(), balancerKinds(), dnsKinds(), discoveryKinds(), wafKinds(),
		ecsKinds(), ecrKinds(), autoscalingKinds(), schedulerKinds(),
		rdsKinds(), elasticacheKinds(), s3Kinds(), backupKinds(),
		iamKinds(), kmsKinds(), secretsKinds(), ssmKinds(),
		logsKinds(), cloudwatchKinds(), streamKinds(), messageKinds(),
	), dataSources(), callTable())
})

func ec2Kinds() []Kind { return slices.Concat(networkKinds(), firewallKinds(), hostKinds()) }

// Types lists the resource types that the model knows.
func Types() []string { return awsRegistry().types() }

// Properties are the inputs of a resource type, with the kind of their values: string, document (JSON text), array, map, object and so on.
// It is nil for a type that the schema does not have.
func Properties(token string) map[string]string {
	e := schema().get("R " + token)
	if e == nil {
		return nil
	}
	all := map[string]string{}
	for name, k := range e.In {
		all[name] = k.Kind
	}
	return all
}

// Valid reports mistakes in the kinds: disagreements with the schema and with each other. It is for tests.
func Valid() []error {
	var wrong []error
	kinds := awsRegistry().kinds
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	for _, token := range Types() {
		k, e := kinds[token], schema().get("R "+token)
		if e == nil {
			say("%s is not in the schema", token)
			continue
		}
		has := func(path string) bool {
			return e.along(parsePath(path), func(*kindOf) bool { return true })
		}
		for path := range k.Defaults {
			if !has(path) {
				say("%s: default of %s, which the schema does not have", token, path)
			}
		}
		for _, ref := range k.Refs {
			if !has(ref.Path) {
				say("%s: reference at %s, which the schema does not have", token, ref.Path)
			}
			for _, to := range ref.To {
				if kinds[to] == nil {
					say("%s: %s refers to %s, which is not registered", token, ref.Path, to)
				}
			}
		}
		for _, name := range []string{k.Name.Input, k.Name.Prefix} {
			if name != "" && e.In[name] == nil {
				say("%s: name in %s, which is not an input", token, name)
			}
		}
		for in, outs := range k.Recomputed {
			for _, out := range outs {
				if in != "*" && !has(in) || !has(out) {
					say("%s: change of %s recomputes %s: one of them is not in the schema", token, in, out)
				}
			}
		}
	}
	return wrong
}
