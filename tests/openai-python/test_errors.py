"""What goes wrong is an exception of the official client's own kind."""

import openai
import pytest

MODEL = "test-model"
HI = [{"role": "user", "content": "Say hello."}]


def policy(spec: str) -> str:
    return f"""
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumPolicy
metadata: {{name: test}}
spec:
{spec}
"""


def ask(client: openai.OpenAI, **more):
    return client.chat.completions.create(**({"model": MODEL, "messages": HI} | more))


def test_a_wrong_key_is_an_authentication_error(hello):
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(hello.client(api_key="wrong"))
    assert (caught.value.status_code, caught.value.code) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"n": 2}, "n"),
        ({"stop": ["x"]}, "stop"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"extra_body": {"nobody_knows": 1}}, "nobody_knows"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "messages[0].tool_call_id"),
    ],
)
def test_what_cant_be_honoured_is_a_bad_request_that_names_the_field(hello, more, field):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(hello.client(), **more)
    assert caught.value.param == field
    assert caught.value.type == "invalid_request_error"


def test_a_refused_request_for_a_stream_is_an_exception_and_no_stream(hello):
    with pytest.raises(openai.BadRequestError):
        ask(hello.client(), stream=True, n=2)


def test_an_unknown_model_or_path_is_not_found(hello):
    client = hello.client()
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nobody-knows/it")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model=MODEL, input="x")


def test_another_request_under_a_step_is_a_conflict(hello):
    client = hello.client()
    step = {"Idempotency-Key": "step-1"}
    ask(client, extra_headers=step)
    with pytest.raises(openai.ConflictError):
        ask(client, extra_headers=step, temperature=1)


def test_a_model_that_a_policy_denies_is_a_permission_error(serve):
    rules = policy("  models: {deny: [forbidden-*]}")
    client = serve("turns: [{text: Hello.}]", rules).client()
    assert ask(client).choices[0].message.content == "Hello."
    with pytest.raises(openai.PermissionDeniedError) as caught:
        ask(client, model="forbidden-1")
    assert caught.value.code == "model-not-allowed"
    assert caught.value.body["rule"] == "models.deny[0]"


def test_a_used_up_budget_is_a_rate_limit_error_that_is_not_retried(serve):
    rules = policy("  budget: {perRun: {tokens: 10}}")
    # The client would otherwise try again twice, after pauses.
    client = serve("turns: [{text: Hello.}]", rules).client(max_retries=2)
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client)
    assert caught.value.code == "insufficient_quota"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"


def test_a_provider_that_refuses_is_a_server_error(serve):
    client = serve("turns: [{text: Hello.}]").client()
    # The script has no turn for a conversation that has gone on.
    said = [*HI, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "And?"}]
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, messages=said)
    assert (caught.value.status_code, caught.value.code) == (502, "provider-refused")
