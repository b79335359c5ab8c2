"""Random messages."""

from __future__ import annotations

from datetime import UTC

from hypothesis import strategies as st

from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
    VideoUrl,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
maybe = st.none() | texts
times = st.datetimes(timezones=st.just(UTC))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)
media = (
    st.builds(ImageUrl, texts)
    | st.builds(AudioUrl, texts)
    | st.builds(VideoUrl, texts)
    | st.builds(DocumentUrl, texts)
    | st.builds(BinaryContent, st.binary(max_size=20), texts)
)
errors = st.fixed_dictionaries(
    {
        "type": texts,
        "loc": st.lists(texts | st.integers(0, 9), max_size=3).map(tuple),
        "msg": texts,
        "input": json_values,
    },
    optional={"ctx": json_objects, "url": texts},
)
request_parts = (
    st.builds(SystemPromptPart, texts, dynamic_ref=maybe)
    | st.builds(UserPromptPart, texts | st.lists(texts | media, max_size=3), times)
    | st.builds(ToolReturnPart, texts, json_values, maybe, times)
    | st.builds(RetryPromptPart, texts | st.lists(errors, max_size=2), maybe, maybe, times)
)
response_parts = (
    st.builds(TextPart, texts)
    | st.builds(ThinkingPart, texts, maybe, maybe)
    | st.builds(ToolCallPart, texts, texts | json_objects, maybe)
    | st.builds(NativeToolCallPart, texts, json_objects, maybe, st.none() | json_objects)
    | st.builds(NativeToolReturnPart, texts, json_values, maybe, st.none() | json_objects)
)
requests = st.builds(ModelRequest, st.lists(request_parts, max_size=3))
responses = st.builds(
    ModelResponse,
    st.lists(response_parts, max_size=3),
    maybe,
    times,
    finish_reason=st.sampled_from([None, "stop", "length", "tool_call", "content_filter", "error"]),
    provider_response_id=maybe,
    provider_details=st.none() | json_objects,
    state=st.sampled_from(["complete", "interrupted"]),
)
conversations = st.lists(requests | responses, max_size=3)
