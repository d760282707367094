package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// says CODE COMMAND... is exits, and keeps what the command wrote.
func says(ts *testscript.TestScript, neg bool, args []string) {
	exits(ts, neg, args)
	keep(ts, strings.Join(args[1:], " "))
}

// keep writes down, in the folder said, what the last command wrote.
func keep(ts *testscript.TestScript, name string) {
	dir := ts.MkAbs("said")
	ts.Check(os.MkdirAll(dir, 0o755))
	file := fmt.Sprintf("%d %s", len(must(os.ReadDir(dir))), strings.NewReplacer("/", "_", " ", "_").Replace(name))
	text := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	ts.Check(os.WriteFile(filepath.Join(dir, file[:min(len(file), 100)]), []byte(text), 0o600))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// leaks EXPORT TEXT... finds no secret in any file below the script's folder: none that the export shows in plain text,
// and none of the texts, neither as they are nor encoded. The export itself is taken away first.
func leaks(ts *testscript.TestScript, neg bool, args []string) {
	secrets := args[1:]
	if name := args[0]; name != "-" {
		var export any
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &export))
		ts.Check(os.Remove(ts.MkAbs(name)))
		shown := plaintexts(export)
		if len(shown) < 3 {
			ts.Fatalf("%s shows %d secrets: the database has two passwords and Django one key", name, len(shown))
		}
		secrets = append(secrets, shown...)
	}
	forms := map[string]string{}
	for i, secret := range secrets {
		if len(secret) < 8 {
			ts.Fatalf("secret %d is too short to be looked for", i)
		}
		quoted := must(json.Marshal(secret))
		for form, text := range map[string]string{
			"as it is": secret, "as JSON": string(quoted[1 : len(quoted)-1]), "for a URL": url.QueryEscape(secret),
			"in hexadecimal": hex.EncodeToString([]byte(secret)),
			"in base64":      strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
		} {
			forms[text] = fmt.Sprintf("secret %d, %s", i, form)
		}
	}
	var found []string
	files := 0
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for text, what := range forms {
			if bytes.Contains(data, []byte(text)) {
				found = append(found, what+" stands in "+path)
			}
		}
		return nil
	}))
	if files < 5 {
		ts.Fatalf("only %d files were looked at", files)
	}
	switch {
	case neg && len(found) == 0:
		ts.Fatalf("nothing was found in %d files", files)
	case !neg && len(found) > 0:
		ts.Fatalf("%s", strings.Join(found, "\n"))
	}
	ts.Logf("%d secrets were looked for in %d files", len(secrets), files)
}

// plaintexts are the secrets that an export shows: each is a JSON value inside of an object with the engine's mark. The
// provider calls the value of every parameter a secret, also of one that shows it in the open beside it.
func plaintexts(v any) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v["plaintext"].(string); ok && v["4dabf18193072939515e22adb298388d"] != nil {
			var inside any
			if json.Unmarshal([]byte(text), &inside) != nil {
				inside = text
			}
			return texts(inside)
		}
		open, _ := v["insecureValue"].(string)
		for name, inside := range v {
			if name != "value" || open == "" {
				all = append(all, plaintexts(inside)...)
			}
		}
	case []any:
		for _, inside := range v {
			all = append(all, plaintexts(inside)...)
		}
	}
	return all
}

// texts are all texts of a value that may be secrets: they are long, and are not names of AWS. A registry's login is
// secret as a whole, its address too.
func texts(v any) (all []string) {
	switch v := v.(type) {
	case string:
		if len(v) >= 16 && !strings.Contains(v, ".amazonaws.com") {
			all = append(all, v)
		}
	case map[string]any:
		for _, inside := range v {
			all = append(all, texts(inside)...)
		}
	case []any:
		for _, inside := range v {
			all = append(all, texts(inside)...)
		}
	}
	return all
}
