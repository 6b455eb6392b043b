"""What the official client makes of answers: plain, streamed, with tools."""

import asyncio
import json

MODEL = "test-model"
HI = [{"role": "user", "content": "Say hello."}]

LOOK = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks a word up.",
        "parameters": {
            "type": "object",
            "properties": {"word": {"type": "string"}},
            "required": ["word"],
        },
    },
}

WITH_TOOLS = """
turns:
  - text: I will look twice.
    tool_calls:
      - {name: look_up, arguments: {word: "tea"}}
      - {name: look_up, arguments: {word: "milk"}}
  - expect: {tool_result_of: look_up}
    text: Tea and milk are drinks.
"""


def test_a_plain_answer_has_text_reason_and_usage(hello):
    answer = hello.client().chat.completions.create(model=MODEL, messages=HI)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == "Hello, world."
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (11, 3, 14)


def test_a_conversation_goes_on(hello):
    said = [*HI, {"role": "assistant", "content": "Hello, world."}, {"role": "user", "content": "Again!"}]
    answer = hello.client().chat.completions.create(model=MODEL, messages=said)
    assert answer.choices[0].message.content == "Again."


def test_the_asynchronous_client_gets_the_same(hello):
    async def ask() -> str:
        async with hello.async_client() as client:
            answer = await client.chat.completions.create(model=MODEL, messages=HI)
            return answer.choices[0].message.content

    assert asyncio.run(ask()) == "Hello, world."


def test_a_stream_arrives_in_pieces_and_ends(hello):
    stream = hello.client().chat.completions.create(model=MODEL, messages=HI, stream=True)
    chunks = list(stream)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert pieces == ["Hello, ", "world."]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_says_its_usage_when_asked(hello):
    options = {"include_usage": True}
    stream = hello.client().chat.completions.create(model=MODEL, messages=HI, stream=True, stream_options=options)
    *chunks, last = stream
    assert all(chunk.usage is None for chunk in chunks)
    assert (last.choices, last.usage.total_tokens) == ([], 14)


def test_tool_calls_are_asked_for_and_answered(serve):
    client = serve(WITH_TOOLS).client()
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What are tea and milk?"}]
    first = client.chat.completions.create(model=MODEL, messages=said, tools=[LOOK], tool_choice="auto")
    assert first.choices[0].finish_reason == "tool_calls"
    message = first.choices[0].message
    assert message.content == "I will look twice."
    calls = message.tool_calls
    assert [(call.type, call.function.name) for call in calls] == [("function", "look_up")] * 2
    assert [json.loads(call.function.arguments) for call in calls] == [{"word": "tea"}, {"word": "milk"}]
    # The client's own object goes back as it is.
    said.append(message)
    said += [{"role": "tool", "tool_call_id": call.id, "content": "a drink"} for call in calls]
    second = client.chat.completions.create(model=MODEL, messages=said, tools=[LOOK])
    assert second.choices[0].message.content == "Tea and milk are drinks."
    assert second.choices[0].message.tool_calls is None


def test_streamed_tool_calls_are_put_together_by_the_clients_own_helper(serve):
    client = serve(WITH_TOOLS).client()
    with client.chat.completions.stream(model=MODEL, messages=HI, tools=[LOOK]) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    calls = final.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments) for call in calls] == [{"word": "tea"}, {"word": "milk"}]
    assert len({call.id for call in calls}) == 2
    assert final.choices[0].finish_reason == "tool_calls"


def test_a_named_step_is_answered_from_its_record(hello):
    client = hello.client()
    step = {"Idempotency-Key": "step-1"}
    first = client.chat.completions.create(model=MODEL, messages=HI, extra_headers=step)
    second = client.chat.completions.create(model=MODEL, messages=HI, extra_headers=step)
    assert (first.id, first.choices) == (second.id, second.choices)
    third = client.chat.completions.create(model=MODEL, messages=HI)
    assert third.id != first.id


def test_the_models_are_listed_and_found(hello):
    client = hello.client()
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).owned_by == "scripted"
