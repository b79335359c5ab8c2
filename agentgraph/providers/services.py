"""The services that speak OpenAI's chat protocol, and how each departs from it: data, no code.

To add one, add an entry to `SERVICES`; it can then be named as `provider='…'` and as the prefix of a model name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["SERVICES", "ChatProfile", "Effort", "Service", "SystemRole"]

SystemRole = Literal["system", "developer", "user"]
Effort = Literal["reasoning_effort", "reasoning", "thinking", "thinking_effort", "reasoning_format", "high_or_none"]
"""How thinking is asked for: by the field of this name, by `thinking` together with a `reasoning_effort`, or by a
`reasoning_effort` that is all or nothing."""


@dataclass(frozen=True, kw_only=True)
class ChatProfile:
    """How a service, or one of its models, wants a chat request to look."""

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The field that bounds the reply."""
    system_role: SystemRole = "system"
    """Whose words system prompts are."""
    tool_choice: bool = True
    """Whether the field for the choice of tools is known at all; otherwise it is left out."""
    tool_choice_required: bool = True
    """Whether a call of some tool can be demanded."""
    required: Literal["required", "any"] = "required"
    """The word that demands one."""
    allowed_tools: bool = False
    """Whether a choice among several tools can be sent; otherwise only those are offered."""
    call_id_length: int | None = None
    """The letters and digits that the id of a call consists of; None: it may be any text."""
    user_after_tools: bool = True
    """Whether the user may speak right after a tool has; otherwise the model says a word in between."""
    media: Literal["files", "urls", "images"] = "files"
    """How audio and documents are sent: as files, as addresses (which may hold the bytes), or not at all."""
    image_urls: bool = True
    """Whether images are fetched by the service; otherwise we download them."""
    seed: Literal["seed", "random_seed"] = "seed"
    """The field of the seed."""
    refused: frozenset[str] = frozenset()
    """Common settings that the service does not know, and refuses."""
    prefix: str = "openai_"
    """What the names of the service's own settings begin with."""
    sampling: bool | Literal["unthinking"] = True
    """Whether temperature and its like are taken; `unthinking`: only while no effort is asked for."""
    effort: Effort | None = "reasoning_effort"
    """How thinking is asked for; None if it cannot be."""
    efforts: tuple[tuple[str, Effort | None], ...] = ()
    """The same by patterns that names of models hold; the first that fits wins over `effort`."""
    thinking_back: Literal["reasoning_content", "reasoning", "reasoning_details", "content"] | None = None
    """The field that earlier thinking is sent back in; None: it is left out."""
    json_schema: bool = True
    """Whether there is a mode for JSON that follows a schema."""
    stream_usage: bool = True
    """Whether a stream reports usage only if asked to."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """Where a service is and what it departs in."""

    base_url: str
    key: str
    """The environment variable that holds the key."""
    key_required: bool = True
    """False for what usually runs on one's own machine; a key is sent if there is one."""
    base_url_variable: str | None = None
    """The environment variable that, if set, replaces `base_url`."""
    chat: ChatProfile = ChatProfile()


SERVICES: Mapping[str, Service] = {
    "openai": Service(
        base_url="https://api.openai.com/v1",
        key="OPENAI_API_KEY",
        base_url_variable="OPENAI_BASE_URL",
        chat=ChatProfile(max_tokens="max_completion_tokens", allowed_tools=True),
    ),
    "cerebras": Service(
        base_url="https://api.cerebras.ai/v1",
        key="CEREBRAS_API_KEY",
        # https://inference-docs.cerebras.ai/resources/openai: what is not supported is refused.
        chat=ChatProfile(
            max_tokens="max_completion_tokens",
            refused=frozenset({"frequency_penalty", "presence_penalty", "logit_bias"}),
            thinking_back="reasoning",
        ),
    ),
    "deepseek": Service(
        base_url="https://api.deepseek.com",
        key="DEEPSEEK_API_KEY",
        # A turn with tool calls is refused if its thinking does not come back with it:
        # https://api-docs.deepseek.com/guides/thinking_mode
        # and JSON follows no schema: https://api-docs.deepseek.com/guides/json_mode
        chat=ChatProfile(effort="thinking_effort", thinking_back="reasoning_content", json_schema=False),
    ),
    "fireworks": Service(
        base_url="https://api.fireworks.ai/inference/v1",
        key="FIREWORKS_API_KEY",
        chat=ChatProfile(thinking_back="reasoning_content"),
    ),
    "github": Service(base_url="https://models.github.ai/inference", key="GITHUB_API_KEY"),
    "groq": Service(
        base_url="https://api.groq.com/openai/v1",
        key="GROQ_API_KEY",
        base_url_variable="GROQ_BASE_URL",
        chat=ChatProfile(
            max_tokens="max_completion_tokens",
            media="images",
            prefix="groq_",
            # https://console.groq.com/docs/openai: what is not supported is refused.
            refused=frozenset({"logit_bias"}),
            # https://console.groq.com/docs/reasoning
            efforts=(("gpt-oss", "reasoning_effort"), ("qwen|deepseek-r1", "reasoning_format"), ("", None)),
        ),
    ),
    "huggingface": Service(base_url="https://router.huggingface.co/v1", key="HF_TOKEN"),
    "litellm": Service(
        base_url="http://localhost:4000",
        key="LITELLM_API_KEY",
        key_required=False,
        base_url_variable="LITELLM_BASE_URL",
    ),
    "mistral": Service(
        base_url="https://api.mistral.ai/v1",
        key="MISTRAL_API_KEY",
        base_url_variable="MISTRAL_BASE_URL",
        # https://docs.mistral.ai/api/endpoint/chat; fields that are not there are refused.
        chat=ChatProfile(
            required="any",
            call_id_length=9,
            user_after_tools=False,
            media="urls",
            seed="random_seed",
            prefix="mistral_",
            refused=frozenset({"logit_bias"}),
            efforts=(("magistral|mistral-(small|medium)", "high_or_none"), ("", None)),
            thinking_back="content",
            stream_usage=False,
        ),
    ),
    "moonshot": Service(
        base_url="https://api.moonshot.ai/v1",
        key="MOONSHOT_API_KEY",
        # https://platform.moonshot.ai/docs/api/tool-use: `required` is not among the choices.
        # https://platform.moonshot.ai/docs/guide/use-kimi-vision-model: images by their bytes alone.
        chat=ChatProfile(tool_choice_required=False, image_urls=False, effort=None, thinking_back="reasoning_content"),
    ),
    "ollama": Service(
        base_url="http://localhost:11434/v1",
        key="OLLAMA_API_KEY",
        key_required=False,
        base_url_variable="OLLAMA_BASE_URL",
        # https://docs.ollama.com/api/openai-compatibility: images by their bytes alone.
        chat=ChatProfile(image_urls=False, thinking_back="reasoning"),
    ),
    "openrouter": Service(
        base_url="https://openrouter.ai/api/v1",
        key="OPENROUTER_API_KEY",
        # https://openrouter.ai/docs/use-cases/reasoning-tokens
        chat=ChatProfile(effort="reasoning", thinking_back="reasoning_details"),
    ),
    "perplexity": Service(
        base_url="https://api.perplexity.ai/v1",
        key="PERPLEXITY_API_KEY",
        # https://docs.perplexity.ai/docs/agent-api: Responses, without a choice of tools; unknown fields are refused.
        chat=ChatProfile(tool_choice=False, tool_choice_required=False, effort=None),
    ),
    "together": Service(base_url="https://api.together.xyz/v1", key="TOGETHER_API_KEY"),
    "vllm": Service(
        base_url="http://localhost:8000/v1",
        key="VLLM_API_KEY",
        key_required=False,
        base_url_variable="VLLM_BASE_URL",
        chat=ChatProfile(thinking_back="reasoning"),
    ),
    "xai": Service(
        base_url="https://api.x.ai/v1",
        key="XAI_API_KEY",
        # https://docs.x.ai/developers/model-capabilities/text/reasoning: for grok-3-mini, and since grok-4.3.
        chat=ChatProfile(
            max_tokens="max_completion_tokens",
            efforts=((r"grok-(2|3(?!-mini)|4(-|\.1|\.20|$)|code)", None),),
            thinking_back="reasoning_content",
        ),
    ),
    "zai": Service(
        base_url="https://api.z.ai/api/paas/v4",
        key="ZAI_API_KEY",
        # https://docs.z.ai/guides/capabilities/function-calling: `auto` is the only choice. Nor does JSON follow a
        # schema: https://docs.z.ai/guides/capabilities/struct-output
        chat=ChatProfile(
            tool_choice_required=False, effort="thinking", thinking_back="reasoning_content", json_schema=False
        ),
    ),
}
"""Every service by the name it goes by in model names."""
