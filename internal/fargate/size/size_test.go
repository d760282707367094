package size

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name        string
		cpu, memory int
		want        string // part of the error; empty: accepted
	}{
		{"smallest", 256, 512, ""},
		{"largest", 16384, 122880, ""},
		{"8 vCPU go in steps of 4 GiB", 8192, 20480, ""},
		{"8 vCPU between two steps", 8192, 17408, "memory for cpu 8192 must be one of 16384, 20480,"},
		{"quarter vCPU with four GiB", 256, 4096, "memory for cpu 256 must be one of 512, 1024, 2048, got 4096"},
		{"a CPU that does not exist", 300, 512, "cpu must be one of 256, 512, 1024, 2048, 4096, 8192, 16384, got 300"},
		{"memory in GiB by mistake", 512, 2, "must be one of 1024, 2048, 3072, 4096, got 2"},
		{"nothing", 0, 0, "got 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Check(c.cpu, c.memory)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Check(%d, %d) = %v, want %q", c.cpu, c.memory, err, c.want)
			}
		})
	}
}

func TestEveryCPUHasMemories(t *testing.T) {
	for _, cpu := range CPUs {
		for _, memory := range Memories(cpu) {
			if err := Check(cpu, memory); err != nil {
				t.Error(err)
			}
			// Fargate never sells less than 2 GiB or more than 8 GiB a vCPU.
			if ratio := float64(memory) / float64(cpu); ratio < 1.8 || ratio > 8 {
				t.Errorf("cpu %d with memory %d: ratio %.1f", cpu, memory, ratio)
			}
		}
	}
}
