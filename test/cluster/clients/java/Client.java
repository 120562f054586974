import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.models.chat.completions.ChatCompletionCreateParams;

/** Client plain|streamed: one call by OpenAI's official SDK for Java, which knows nothing of weir. */
public class Client {
  public static void main(String[] args) {
    OpenAIClient client = OpenAIOkHttpClient.fromEnv();
    ChatCompletionCreateParams call =
        ChatCompletionCreateParams.builder().model("gpt-4o-mini").addUserMessage("Where shall I go?").build();
    if (args.length > 0 && args[0].equals("streamed")) {
      try (var stream = client.chat().completions().createStreaming(call)) {
        stream.stream()
            .flatMap(chunk -> chunk.choices().stream())
            .flatMap(choice -> choice.delta().content().stream())
            .forEach(System.out::print);
      }
    } else {
      client.chat().completions().create(call).choices().stream()
          .flatMap(choice -> choice.message().content().stream())
          .forEach(System.out::print);
    }
    System.out.flush();
    System.exit(0);
  }
}
