//go:build unix

package sandbox

import (
	"fmt"
	"io"
	"math"
	"time"
)

// A price is what one part of a stack costs per hour, in us-east-1, on demand.
type price struct {
	what   string
	number float64
	hourly float64 // of one, in USD
	source string  // "" is from memory, not verified
}

const month = 730 // hours, as AWS counts

// prices are those of one stack of the run. Sources are price pages and articles that quote them.
var prices = []price{
	{"NAT gateway", 1, 0.045, "sst.dev, cost of its Vpc component"},
	{"balancer, without LCU", 1, 0.0225, ""},
	{"public IPv4 addresses: NAT, balancer in two zones", 3, 0.005, "AWS, public IPv4 address charge, 2024"},
	{"database db.t4g.micro", 1, 0.016, "infratally.com, RDS 2026; sst.dev"},
	{"database storage, GB of gp3", 20, 0.115 / month, "usage.ai, RDS; sst.dev"},
	{"web task, vCPU on arm64", 0.25, 0.03238, "vantage.sh, Fargate pricing"},
	{"web task, GB on arm64", 0.5, 0.00356, "vantage.sh, Fargate pricing"},
	{"KMS keys: one of the stack, one of its state", 2, 1.0 / month, "AWS Price List, 2026"},
	{"alarms", 10, 0.10 / month, ""},
}

// once is what a run costs besides its hours: image layers and log lines through the NAT gateway, requests to S3 and KMS,
// image storage. About 2 GB at $0.045, and some cents.
const once = 0.15

// A span is a duration that is expected: between two.
type span struct{ low, high time.Duration }

func minutes(low, high float64) span {
	return span{time.Duration(low * float64(time.Minute)), time.Duration(high * float64(time.Minute))}
}

func (s span) add(o span) span { return span{s.low + o.low, s.high + o.high} }

func (s span) String() string {
	if s.low < time.Minute {
		return fmt.Sprintf("up to %.0f min", s.high.Minutes())
	}
	return fmt.Sprintf("%.0f to %.0f min", s.low.Minutes(), s.high.Minutes())
}

// A Forecast is the expected time and cost of a run.
type Forecast struct {
	Takes  span
	Hourly float64 // of one stack
	USD    float64 // of the whole run: both stacks, for as long as the run takes at most, in whole hours
}

// forecast adds up the steps. AWS bills NAT gateways and balancers by the hour begun (VPC and ELB pricing), so every hour
// is counted whole, for both stacks.
func forecast(steps []step) Forecast {
	var f Forecast
	for _, s := range steps {
		f.Takes = f.Takes.add(s.takes)
	}
	for _, p := range prices {
		f.Hourly += p.number * p.hourly
	}
	f.USD = once + 2*f.Hourly*math.Ceil(f.Takes.high.Hours())
	return f
}

// SayForecast prints what a run does, how long it takes and what it costs.
func SayForecast(w io.Writer) {
	steps := story()
	f := forecast(steps)
	fmt.Fprintln(w, "A sandbox run deploys two throwaway stacks, dev and staging, and removes them again:")
	for _, s := range steps {
		fmt.Fprintf(w, "  %-18s %-15s %s\n", s.name, s.takes, s.says)
	}
	fmt.Fprintf(w, "\nIt takes %.0f to %.0f minutes.\n", f.Takes.low.Minutes(), f.Takes.high.Minutes())
	fmt.Fprintf(w, "It costs about $%.2f (us-east-1; other regions cost up to a third more):\n", f.USD)
	for _, p := range prices {
		source := p.source
		if source == "" {
			source = "from memory, not verified"
		}
		fmt.Fprintf(w, "  $%.4f an hour  %s (%s)\n", p.number*p.hourly, p.what, source)
	}
	fmt.Fprintf(w, "  $%.4f an hour for one stack; both, in whole hours, and $%.2f for data and requests\n", f.Hourly, once)
}
