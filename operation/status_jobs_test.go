package operation

import (
	"testing"
	"time"

	"slipway/operation/account"
)

// What ECS says of a job's last run counts, whichever answer comes first: the log of a run may end after the task, by some milliseconds.
func TestECSKnowsMoreOfAJobThanItsLog(t *testing.T) {
	o := &observed{layout: &layout{parts: []part{{Name: "job-clean-up", Schedule: "rate(12 hours)", Family: "shop-job-clean-up",
		Containers: []container{{Name: "django", Group: "/shop"}}}}}}
	stopped, code := time.Now().Add(-time.Minute), 7
	task := account.Task{Family: "shop-job-clean-up", Stops: true, Stopped: stopped,
		Containers: []account.TaskContainer{{Name: "django", ExitCode: &code}}}
	ecs := func(s *Status) { o.jobs(s, []account.Task{task}) }
	log := func(s *Status) {
		o.jobs(s, nil)
		s.Jobs[0].wrote([]account.LogStream{{Last: stopped.Add(5 * time.Millisecond)}})
	}
	for name, answers := range map[string][]func(*Status){"ECS first": {ecs, log}, "its log first": {log, ecs}} {
		s := &Status{}
		for _, answer := range answers {
			answer(s)
		}
		if job := s.Jobs[0]; job.ExitCode == nil || *job.ExitCode != 7 || !job.Last.Equal(stopped) {
			t.Errorf("%s: the job is %+v", name, job)
		}
	}
}
