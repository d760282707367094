// Package check reads a Django project without running it, and says everything at once that would keep it from running on Fargate
// behind Slipway, or that would expose it. It knows neither AWS nor the engine.
//
// A rule refuses only what it is sure of. What cannot be read, or depends on something outside of the project, is listed as unknown.
package check

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Run checks a project. An error means that the folder cannot be read at all.
func Run(ctx context.Context, o Options) (*Report, error) {
	p, err := open(ctx, o, nil)
	if err != nil {
		return nil, err
	}
	p.judge()
	return p.report, nil
}

// open reads a project. Files are those of its folder, if they have been listed already.
func open(ctx context.Context, o Options, files *tree) (*project, error) {
	root, err := filepath.Abs(o.Path)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err == nil {
		_, err = os.ReadDir(root)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", o.Path, err)
	}
	p := &project{Options: o, report: &Report{Path: o.Path, Findings: []Finding{}, Unknown: []Unknown{}}}
	p.Path = root
	if p.tree = files; files == nil {
		p.tree = readTree(root)
	}
	if p.tree.truncated {
		p.unknown("", 0, "files", fmt.Sprintf("the folder has more than %d files; the rest was not looked at", maxFiles))
	}
	p.readImage()
	p.applyApp()
	p.start = readStart(p.tree, p.image, p.environment())
	p.needs = readDependencies(p.tree, p.image, p.App.Packages)
	p.readFacts(ctx)
	return p, nil
}

// judge applies the rules.
func (p *project) judge() {
	for _, rule := range rules {
		rule(p)
	}
	p.finish()
}

// rules are the checks, each of which adds what it finds.
var rules = []func(*project){
	(*project).checkDockerfile, (*project).checkCommand, (*project).checkServer, (*project).checkStartUp, (*project).checkSuperuser,
	(*project).checkContext, (*project).checkDependencies, (*project).checkStorage,
	(*project).checkDatabase, (*project).checkDebug, (*project).checkHosts, (*project).checkSecretKey, (*project).checkStatic,
	(*project).checkTLS, (*project).checkMedia, (*project).checkKeys, (*project).checkLogging, (*project).checkServices,
	(*project).checkCelery,
	(*project).checkSyntax, (*project).checkModules,
	(*project).checkVariables, (*project).checkDemands, (*project).checkPlaceholders, (*project).checkPipelines,
	(*project).checkInfrastructure,
}

// finish sorts the findings and removes those that two rules made.
func (p *project) finish() {
	r := p.report
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Check, b.Check), cmp.Compare(a.Reason, b.Reason))
	})
	r.Findings = slices.Compact(r.Findings)
	r.Refused = slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Refused })
	slices.SortStableFunc(r.Unknown, func(a, b Unknown) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.What, b.What))
	})
	r.Unknown = slices.Compact(r.Unknown)
}
