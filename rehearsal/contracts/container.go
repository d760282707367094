package contracts

// What a task asks of an image.

// A Container is what a task definition and its service ask of an image.
type Container struct {
	Name       string
	User       string   // "" is the image's
	Entrypoint []string // nil is the image's
	Command    []string // nil is the image's
	Env        map[string]string
	Secrets    []string // the names of variables that are secrets
	// TLS are the variables, secret or not, with the rediss:// URL of a cache, and what it says in ssl_cert_reqs.
	TLS          map[string]string
	Tasks        int  // that its service runs at most, without those of a deployment
	Percent      int  // deploymentMaximumPercent
	ReadOnly     bool // root file system
	Mounts       []Mount
	Ports        []int    // that the task maps
	Health       []string // CMD or CMD-SHELL, and the command
	Exec         bool     // ECS Exec is enabled
	Recorded     bool     // sessions of ECS Exec are logged to CloudWatch or S3
	Serves       bool     // a service runs it, so that its end should be graceful
	StopTimeout  int
	Architecture string         // X86_64 or ARM64
	System       string         // LINUX, or the edition of Windows
	Neighbours   map[int]string // port -> the other container of the task that maps it
	Target       *Target
}

// A Mount is a volume in a container.
type Mount struct {
	Path     string
	ReadOnly bool
}

// A Target is what a load balancer expects of the container.
type Target struct {
	Port     int
	Protocol string  // of its health check
	Speaks   string  // HTTP or HTTPS, to the targets
	Idle     float64 // seconds that an unused connection stays open
	Group    string
	Path     string // of its health check
	Codes    string // that count as healthy: 200, 200,202 or 200-299
}

// execPaths are written by the agent of ECS Exec, which runs as root.
var execPaths = []string{"/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"}
