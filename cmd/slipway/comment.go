package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/operation/pullrequest"
)

func commentCommand(run *invocation) *cobra.Command {
	var post int
	cmd := &cobra.Command{
		Use:   "comment FILE...",
		Short: "Summarize in Markdown what a change does to every stack",
		Long: `Comment summarizes the output of preview --json and rehearse --json in Markdown. A file that is empty or holds an error
stands for a command that failed; its stack is the file's name up to the first dot.

With --post the Markdown becomes a comment on a GitHub pull request, and the next run replaces it, so that there is
always one. The environment variable GITHUB_REPOSITORY names the repository, and GITHUB_TOKEN must allow writing.`,
		Example: `  slipway preview --stack prod --json > prod.json
  slipway comment prod.json
  GITHUB_REPOSITORY=example/site slipway comment --post 12 prod.json`,
		Args: commandline.AtLeast(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if cmd.Flags().Changed("post") && post < 1 {
				return operation.UsageError{Err: fmt.Errorf("--post: %d is not the number of a pull request", post)}
			}
			return writeComment(cmd.Context(), run.out, post, files)
		},
	}
	cmd.Flags().IntVar(&post, "post", 0, "the `number` of the pull request whose comment to write")
	return cmd
}

func writeComment(ctx context.Context, out *output, pull int, files []string) error {
	var all []pullrequest.Summary
	var wrong []error
	for _, file := range files {
		one, err := pullrequest.Read(file)
		if err != nil {
			wrong = append(wrong, err)
		}
		all = append(all, one)
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	body := pullrequest.Markdown(all, func(c operation.PlannedChange) []string { return shownChange(c).Lines() })
	result := struct {
		Body string `json:"body"`
		URL  string `json:"url,omitempty"`
	}{Body: body}
	if pull > 0 {
		var err error
		if result.URL, err = pullrequest.Post(ctx, pull, body); err != nil {
			return err
		}
		out.say("The comment is %s.", result.URL)
	}
	return out.print(result, func() {
		if pull == 0 {
			fmt.Fprint(out.stdout, body)
		}
	})
}
