// Command iamcase decides IAM requests: it reads cases as JSON lines from standard input (see iam.Case for their form) and writes
// one line each, {"id", "decision", "by"}, or {"id", "error"} for a case that it cannot read.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"slipway/rehearsal/iam"
)

type answer struct {
	ID       string      `json:"id"`
	Decision iam.Outcome `json:"decision,omitempty"`
	By       []string    `json:"by,omitempty"`
	Error    string      `json:"error,omitempty"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "iamcase:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	w := bufio.NewWriter(out)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			if err := encoder.Encode(decide(line)); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return w.Flush()
		}
		if err != nil {
			return err
		}
	}
}

func decide(line []byte) answer {
	c, request, policies, err := iam.ParseCase(line)
	if err != nil {
		return answer{ID: c.ID, Error: err.Error()}
	}
	d := iam.Decide(request, policies)
	return answer{ID: c.ID, Decision: d.Outcome, By: d.Reasons()}
}
