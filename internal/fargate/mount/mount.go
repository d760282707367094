// Package mount knows which paths of a container can be volumes on Fargate.
package mount

import "strings"

// ExecPaths are the paths that ECS Exec writes in a container. AWS does not support ECS Exec with a read-only root file
// system (ECS guide, "ECS Exec", considerations); users report that it works with volumes at exactly these three paths
// (aws/containers-roadmap#1359 and #2824). The agent runs as root in every container, so in the images these paths belong
// to root: the application cannot replace the agent's files.
var ExecPaths = []string{"/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"}

// links are directories that are symbolic links in Debian, Alpine or Amazon Linux. On Fargate a volume under one of them
// belongs to root, whatever the image declares: VOLUME works only for the real absolute path of the mount
// (aws/containers-roadmap#938). Docker follows the link, so the problem does not show on a laptop.
var links = []string{"/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr/tmp", "/var/lock", "/var/run", "/var/spool/mail"}

// LinkAbove returns the symbolic link that path is at or under; "" if there is none.
func LinkAbove(path string) string {
	for _, link := range links {
		if Within(path, link) {
			return link
		}
	}
	return ""
}

// Within reports whether path is folder or in it.
func Within(path, folder string) bool {
	return strings.HasPrefix(strings.TrimRight(path, "/")+"/", strings.TrimRight(folder, "/")+"/")
}

// Volume is the name of a container's volume for path. ECS allows letters, digits, hyphens and underscores (API reference,
// Volume, name).
func Volume(container, path string) string {
	return container + strings.Map(func(r rune) rune {
		switch {
		case r == '/':
			return '-'
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r == '-', r == '_':
			return r
		}
		return '_'
	}, strings.TrimRight(path, "/"))
}
