// main plain|streamed: one call by OpenAI's official SDK for Go, which knows nothing of weir.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/openai/openai-go/v3"
)

func main() {
	client := openai.NewClient()
	call := openai.ChatCompletionNewParams{
		Model:    "gpt-4o-mini",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Where shall I go?")},
	}
	if len(os.Args) > 1 && os.Args[1] == "streamed" {
		stream := client.Chat.Completions.NewStreaming(context.Background(), call)
		for stream.Next() {
			if choices := stream.Current().Choices; len(choices) > 0 {
				fmt.Print(choices[0].Delta.Content)
			}
		}
		fail(stream.Err())
		return
	}
	completion, err := client.Chat.Completions.New(context.Background(), call)
	fail(err)
	fmt.Print(completion.Choices[0].Message.Content)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
