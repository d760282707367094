package config_test

import (
	"fmt"
	"os"
	"path/filepath"

	"slipway/config"
)

// Load checks the whole file and reports all mistakes at once, each with its line.
func ExampleLoad() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	for name, text := range map[string]string{
		"Pulumi.yaml":          "name: shop\nruntime: go\n",
		"app/Dockerfile":       "FROM scratch\n",
		"app/Dockerfile.nginx": "FROM scratch\n",
		"Pulumi.dev.yaml": `config:
  aws:region: eu-west-1
  shop:network:
    zones: 5
  shop:web:
    memroy: 1024
`,
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			fmt.Println(err)
			return
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			fmt.Println(err)
			return
		}
	}
	source, err := config.FromFile(filepath.Join(folder, "Pulumi.dev.yaml"))
	if err != nil {
		fmt.Println(err)
		return
	}
	source.Reserved = []string{"DB_HOST"} // what the site sets itself; site.Load knows all of them
	source.File = "Pulumi.dev.yaml"       // instead of the temporary folder's path
	_, err = config.Load(source)
	fmt.Println(err)
	// Output:
	// Pulumi.dev.yaml:4: network.zones: must be 2 or 3, got 5
	// Pulumi.dev.yaml:6: web.memroy: unknown key, did you mean memory?
}
