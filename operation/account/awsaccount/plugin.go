package awsaccount

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"slipway/operation/account/process"
)

// pluginName is the program that speaks Session Manager's protocol.
const pluginName = "session-manager-plugin"

// pluginPage is AWS's page on its installation.
const pluginPage = "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"

// lastArgument is the last version that takes the session's token as an argument only, where every user of this machine can read it.
// AWS's CLI passes the environment to later ones (aws/aws-cli, customizations/sessionmanager.py), and AWS asks for 1.2.764.0 or later
// (Systems Manager guide, "Install the Session Manager plugin").
const lastArgument = "1.2.497.0"

// tokenVariable has the session's token. The plugin reads an argument that begins like this as the name of a variable
// (session/session.go in aws/session-manager-plugin).
const tokenVariable = "AWS_SSM_START_SESSION_RESPONSE"

// findPlugin finds the plugin. Its error says how to install it on this system.
func findPlugin(ctx context.Context) (string, error) {
	path, err := exec.LookPath(pluginName)
	if err != nil {
		return "", fmt.Errorf("sessions need AWS's %s, which is not on PATH; to install it:\n%s", pluginName, installPlugin())
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", path, err)
	}
	if version := strings.TrimSpace(string(out)); !newer(version, lastArgument) {
		return "", fmt.Errorf("%s is version %s, and sessions need a later one than %s; to install it:\n%s", path, version, lastArgument,
			installPlugin())
	}
	return path, nil
}

// newer compares versions of up to four numbers.
func newer(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	for i := range max(len(a), len(b)) {
		var x, y int
		if i < len(a) {
			x, _ = strconv.Atoi(a[i])
		}
		if i < len(b) {
			y, _ = strconv.Atoi(b[i])
		}
		if x != y {
			return x > y
		}
	}
	return false
}

func installPlugin() string {
	release, _ := os.ReadFile("/etc/os-release") // which macOS does not have
	return installOn(runtime.GOOS, runtime.GOARCH, release)
}

// installOn says how to install the plugin, as AWS's page does for each system. Alpine has a package of its own.
func installOn(system, processor string, release []byte) string {
	const from = "https://s3.amazonaws.com/session-manager-downloads/plugin/latest/"
	arm := processor == "arm64"
	pick := func(other, ofARM string) string {
		if arm {
			return ofARM
		}
		return other
	}
	family := " " + strings.Join(distribution(release), " ") + " "
	is := func(names ...string) bool {
		for _, name := range names {
			if strings.Contains(family, " "+name+" ") {
				return true
			}
		}
		return false
	}
	var lines string
	switch {
	case system == "darwin":
		lines = "  curl -fO " + from + pick("mac", "mac_arm64") + "/session-manager-plugin.pkg\n" +
			"  sudo installer -pkg session-manager-plugin.pkg -target /\n" +
			"  sudo ln -s /usr/local/sessionmanagerplugin/bin/session-manager-plugin /usr/local/bin/session-manager-plugin\n"
	case is("debian", "ubuntu"):
		lines = "  curl -fO " + from + pick("ubuntu_64bit", "ubuntu_arm64") + "/session-manager-plugin.deb\n" +
			"  sudo dpkg -i session-manager-plugin.deb\n"
	case is("amzn", "fedora", "rhel", "centos", "suse"):
		lines = "  sudo " + map[bool]string{true: "zypper", false: "dnf"}[is("suse")] + " install -y " +
			from + pick("linux_64bit", "linux_arm64") + "/session-manager-plugin.rpm\n"
	case is("alpine"):
		lines = "  apk add aws-session-manager-plugin\n"
	}
	return lines + "AWS's page has every system: " + pluginPage
}

// distribution is what /etc/os-release calls this system, and the systems that it is like.
func distribution(release []byte) []string {
	var names []string
	lines := bufio.NewScanner(bytes.NewReader(release))
	for lines.Scan() {
		if key, value, _ := strings.Cut(lines.Text(), "="); key == "ID" || key == "ID_LIKE" {
			names = append(names, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	return names
}

// A started session is what StartSession and ExecuteCommand return.
type started struct{ SessionID, StreamURL, Token *string }

// A pluginSession is a session that the plugin connects.
type pluginSession struct {
	command process.Command
	quiet   bool // what the plugin says is not for the user
}

// session prepares the plugin for a session. request is that of StartSession, from which the plugin reads the target.
//
// The plugin takes the response, the region, the operation, the profile, the request and the endpoint of Systems Manager
// (src/sessionmanagerplugin/session/session.go in aws/session-manager-plugin, ValidateInputAndStartSession), as AWS's CLI passes them
// (awscli/customizations/sessionmanager.py). AWS's CLI gives the plugin ECS's endpoint for ECS Exec (customizations/ecs/executecommand.py),
// where the plugin's ResumeSession has no answer; this gives it Systems Manager's there too. Sessions are encrypted with the stack's key,
// for which the plugin asks KMS with the same credentials.
func (s sessions) session(ctx context.Context, began started, request map[string]any) (pluginSession, error) {
	path, err := findPlugin(ctx)
	if err != nil {
		return pluginSession{}, err
	}
	response, err := json.Marshal(map[string]*string{
		"SessionId": began.SessionID, "StreamUrl": began.StreamURL, "TokenValue": began.Token,
	})
	if err != nil {
		return pluginSession{}, err
	}
	asked, err := json.Marshal(request)
	if err != nil {
		return pluginSession{}, err
	}
	if aws.ToString(began.Token) == "" {
		return pluginSession{}, errors.New("AWS started the session without a token")
	}
	systemsManager, err := s.endpoint(ctx)
	if err != nil {
		return pluginSession{}, err
	}
	return pluginSession{command: process.Command{
		Path: path, Args: []string{tokenVariable, s.settings.Region, "StartSession", s.profile, string(asked), systemsManager},
		Env: []string{tokenVariable + "=" + string(response)},
	}}, nil
}

// endpoint is where the SDK calls Systems Manager: also a VPC endpoint or a FIPS one that the user's configuration names.
func (s sessions) endpoint(ctx context.Context) (string, error) {
	o := s.ssm.Options()
	where, err := o.EndpointResolverV2.ResolveEndpoint(ctx, ssm.EndpointParameters{
		Region: aws.String(o.Region), Endpoint: o.BaseEndpoint,
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	})
	return where.URI.String(), err
}

// hostOf is the host of a URL.
func hostOf(text string) string {
	if parsed, err := url.Parse(text); err == nil {
		return parsed.Host
	}
	return text
}

// Run implements account.Session. The plugin exits with 0 however the program ends.
func (p pluginSession) Run(ctx context.Context, streams process.Streams) (int, error) {
	command := p.command
	var said bytes.Buffer
	if !streams.Terminal {
		streams.In, command.Hold = nil, true
	}
	if p.quiet {
		streams.Out, streams.Err = &said, &said
	}
	exit, err := process.Run(ctx, command, streams)
	if err == nil && p.quiet {
		err = fmt.Errorf("the session ended: %s", lastWords(said.String()))
	}
	return exit, err
}

// lastWords is the last line that is not empty.
func lastWords(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
