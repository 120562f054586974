"""client.py openai|anthropic|google plain|streamed: one call by an official SDK that knows nothing of weir."""
import sys

sdk, streamed = sys.argv[1], sys.argv[2] == "streamed"
messages = [{"role": "user", "content": "Where shall I go?"}]


def openai():
    from openai import OpenAI

    call = dict(model="gpt-4o-mini", messages=messages)
    if not streamed:
        return OpenAI().chat.completions.create(**call).choices[0].message.content
    chunks = OpenAI().chat.completions.create(stream=True, **call)
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def anthropic():
    from anthropic import Anthropic

    call = dict(model="claude-sonnet-4-5", max_tokens=64, messages=messages)
    if not streamed:
        return Anthropic().messages.create(**call).content[0].text
    with Anthropic().messages.stream(**call) as stream:
        return "".join(stream.text_stream)


def google():
    from google import genai

    call = dict(model="gemini-2.5-flash", contents="Where shall I go?")
    client = genai.Client()
    if not streamed:
        return client.models.generate_content(**call).text
    return "".join(c.text or "" for c in client.models.generate_content_stream(**call))


print({"openai": openai, "anthropic": anthropic, "google": google}[sdk](), end="")
