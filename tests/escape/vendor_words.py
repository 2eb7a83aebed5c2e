"""What servers of coding agents' vendors say: a command to run, and then that all is done.

In: host, path and body of a request. Out: status, type and text of the answer. Never: state; what
was already done is read from the conversation that the agent sends each time.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

COMMAND: Final = "printf made > made.txt"
ACCOUNT: Final = "some-account"  # of a person who is logged in with one
DONE: Final = "all is done"
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_ID: Final = "call_0123456789"
Answer = tuple[int, str, str]
Body = Mapping[str, Any]


def answer_to(host: str, path: str, body: Body) -> Answer:
    """Return the answer of the server that shows the name `host`."""
    speak = _SPEAKERS.get((host, path.rpartition(":")[2] if ":" in path else path))
    if speak is None:
        return 404, _JSON, '{"error": {"message": "there is nothing here"}}'
    return speak(body)


def _events(events: Iterable[tuple[str, object]]) -> Answer:
    lines = (
        (f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n"
        for name, data in events
    )
    return 200, _EVENTS, "".join(lines)


def _tool(names: Iterable[str]) -> str:
    """Return the tool of the agent that runs a command, if it has one."""
    known = ("Bash", "bash", "shell_command", "exec_command", "shell", "run_shell_command")
    offered = set(names)
    return next((name for name in known if name in offered), "")


def _arguments(name: str) -> dict[str, object]:
    if name == "shell":
        return {"command": ["sh", "-c", COMMAND]}
    if name == "exec_command":
        return {"cmd": COMMAND}
    return {"command": COMMAND, "description": "make a file"}


# --- Anthropic: Messages ------------------------------------------------------------------------


def _messages(body: Body) -> Answer:
    tool = _tool(each.get("name", "") for each in body.get("tools") or ())
    done = not tool or '"tool_result"' in json.dumps(body["messages"])
    block: dict[str, object]
    if done:
        text = _EDIT if "SEARCH" in json.dumps(body.get("system", "")) else DONE
        block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": text}
    else:
        block = {"type": "tool_use", "id": f"toolu_{_ID}", "name": tool, "input": {}}
        text = json.dumps(_arguments(tool))
        delta = {"type": "input_json_delta", "partial_json": text}
    usage = {"input_tokens": 10, "output_tokens": 10}
    model = body.get("model", "m")
    message: dict[str, object] = {"id": "msg_01", "type": "message", "role": "assistant"}
    message |= {"model": model, "content": [], "stop_sequence": None, "usage": usage}
    stop = "end_turn" if done else "tool_use"
    if not body.get("stream"):
        whole = {**message, "content": [{**block, "text": DONE}], "stop_reason": stop}
        return 200, _JSON, json.dumps(whole)
    return _events(
        (str(event["type"]), event)
        for event in (
            {"type": "message_start", "message": {**message, "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": stop, "stop_sequence": None},
                "usage": {"output_tokens": 10},
            },
            {"type": "message_stop"},
        )
    )


def _count(_: Body) -> Answer:
    return 200, _JSON, '{"input_tokens": 10}'


# --- OpenAI: Responses and Chat Completions -----------------------------------------------------


def _responses(body: Body) -> Answer:
    told = json.dumps(body["input"])
    tool = _tool(str(each.get("name", "")) for each in body.get("tools") or ())
    item: dict[str, object]
    if '"custom_tool_call_output"' not in told and '"additional_tools"' in told:
        # The tool of newer ones takes a program, which runs commands.
        program = f"text(JSON.stringify(await tools.exec_command({{cmd: {json.dumps(COMMAND)}}})))"
        item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": _ID, "name": "exec"}
        item |= {"input": program}
    elif not tool or '"function_call_output"' in told:
        said = {"type": "output_text", "text": DONE, "annotations": []}
        item = {"type": "message", "id": "msg_1", "role": "assistant", "content": [said]}
    else:
        item = {"type": "function_call", "id": "fc_1", "call_id": _ID, "name": tool}
        item |= {"arguments": json.dumps(_arguments(tool))}
    item |= {"status": "completed"}
    usage = {"input_tokens": 10, "output_tokens": 10, "total_tokens": 20}
    usage_details = {
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    whole: dict[str, object] = {"id": "resp_1", "object": "response", "created_at": 1}
    whole |= {"model": body.get("model", "m"), "status": "in_progress", "output": []}
    ended = {**whole, "status": "completed", "output": [item], "usage": {**usage, **usage_details}}
    if not body.get("stream"):
        return 200, _JSON, json.dumps(ended)
    events: list[dict[str, object]] = [
        {"type": "response.created", "response": whole},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
    ]
    if item["type"] == "message":
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        events.append({"type": "response.output_text.delta", **place, "delta": DONE})
    events += [
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": ended},
    ]
    return _events(
        (str(event["type"]), {**event, "sequence_number": number})
        for number, event in enumerate(events)
    )


def _completions(body: Body) -> Answer:
    offered = (each.get("function", {}).get("name", "") for each in body.get("tools") or ())
    tool = _tool(offered)
    done = not tool or '"role": "tool"' in json.dumps(body["messages"])
    said: dict[str, object] = {"role": "assistant", "content": _EDIT}
    if not done:
        function = {"name": tool, "arguments": json.dumps(_arguments(tool))}
        call = {"index": 0, "id": _ID, "type": "function", "function": function}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
    stop = "stop" if done else "tool_calls"
    head: dict[str, object] = {"id": "c-1", "created": 1, "model": body.get("model", "m")}
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    if not body.get("stream"):
        choice = {"index": 0, "message": said, "finish_reason": stop}
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
        return 200, _JSON, json.dumps(whole)
    head |= {"object": "chat.completion.chunk"}
    status, kind, text = _events(
        ("", {**head, "choices": choices, **more})
        for choices, more in (
            ([{"index": 0, "delta": said, "finish_reason": None}], {}),
            ([{"index": 0, "delta": {}, "finish_reason": stop}], {}),
            ([], {"usage": usage}),
        )
    )
    return status, kind, f"{text}data: [DONE]\n\n"


# An agent without tools reads edits from the text.
_EDIT: Final = f"{DONE}\n\nmade.txt\n```\n<<<<<<< SEARCH\n=======\nmade\n>>>>>>> REPLACE\n```\n"


# --- Google: generateContent --------------------------------------------------------------------


def _generated(body: Body) -> dict[str, object]:
    offered = [each for tool in body.get("tools") or () for each in _declared(tool)]
    tool = _tool(str(each.get("name", "")) for each in offered)
    done = not tool or '"functionResponse"' in json.dumps(body["contents"])
    part: dict[str, object] = {"text": DONE}
    if "responseJsonSchema" in body.get("generationConfig", {}):
        part = {"text": _CHOICE}
    if not done:
        part = {"functionCall": {"name": tool, "args": _arguments(tool)}}
    content = {"role": "model", "parts": [part]}
    candidate = {"index": 0, "content": content, "finishReason": "STOP"}
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 10, "totalTokenCount": 20}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"}


# What the model says that is asked which model shall answer.
_CHOICE: Final = (
    '{"complexity_reasoning": "short", "complexity_score": 1,'
    ' "reasoning": "short", "model_choice": "flash"}'
)


def _declared(tool: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(tool.get("functionDeclarations") or ())


def _generate(body: Body) -> Answer:
    return 200, _JSON, json.dumps(_generated(body))


def _generate_stream(body: Body) -> Answer:
    return _events([("", _generated(body))])


# --- Google with an account: the same, in an envelope -------------------------------------------


def _code_assist(body: Body) -> Answer:
    return _events([("", {"response": _generated(body["request"])})])


def _code_assist_whole(body: Body) -> Answer:
    return 200, _JSON, json.dumps({"response": _generated(body["request"])})


def _load(_: Body) -> Answer:
    tier = {"id": "standard-tier", "name": "standard"}
    return 200, _JSON, json.dumps({"currentTier": tier, "cloudaicompanionProject": "some-project"})


def _accounts(_: Body) -> Answer:
    account: dict[str, object] = {"id": ACCOUNT, "name": None, "structure": "personal"}
    account |= {"plan_type": "pro", "is_deactivated": False, "can_access_with_session": True}
    account |= {"is_fedramp_compliant_workspace": False, "sso_connection_name": None}
    account |= {"workspace_backend_origin": f"https://{_CHATGPT}"}
    account |= {"account_routing_override": "NO_CONSTRAINT"}
    known = {"accounts": [account], "account_ordering": [ACCOUNT], "default_account_id": ACCOUNT}
    return 200, _JSON, json.dumps(known)


def _subscriber(_: Body) -> Answer:
    known: dict[str, object] = {"login": ACCOUNT, "copilot_plan": "individual"}
    known |= {"chat_enabled": True, "endpoints": {"api": f"https://{_COPILOT}"}}
    return 200, _JSON, json.dumps(known)


def _models(_: Body) -> Answer:
    limits = {"max_context_window_tokens": 128_000, "max_output_tokens": 16_000}
    supports = {"streaming": True, "tool_calls": True}
    capabilities: dict[str, object] = {"family": "m", "type": "chat", "tokenizer": "o200k_base"}
    capabilities |= {"limits": limits, "supports": supports, "object": "model_capabilities"}
    model: dict[str, object] = {"id": "gpt-5-mini", "name": "m", "object": "model", "version": "m"}
    model |= {"vendor": "m", "model_picker_enabled": True, "capabilities": capabilities}
    model |= {"policy": {"state": "enabled"}, "supported_endpoints": ["/chat/completions"]}
    return 200, _JSON, json.dumps({"object": "list", "data": [model]})


def _nothing(_: Body) -> Answer:
    return 200, _JSON, "{}"


_ANTHROPIC: Final = "api.anthropic.com"
_OPENAI: Final = "api.openai.com"
_GEMINI: Final = "generativelanguage.googleapis.com"
_GOOGLE: Final = "cloudcode-pa.googleapis.com"
_CHATGPT: Final = "chatgpt.com"
_GITHUB: Final = "api.github.com"
_COPILOT: Final = "api.individual.githubcopilot.com"
_SPEAKERS: Final = {
    (_ANTHROPIC, "/v1/messages"): _messages,
    (_ANTHROPIC, "/v1/messages/count_tokens"): _count,
    (_ANTHROPIC, "/api/hello"): _nothing,
    (_OPENAI, "/v1/responses"): _responses,
    (_OPENAI, "/v1/chat/completions"): _completions,
    (_CHATGPT, "/backend-api/codex/responses"): _responses,
    (_CHATGPT, "/backend-api/wham/accounts/check"): _accounts,
    (_GITHUB, "/copilot_internal/user"): _subscriber,
    (_COPILOT, "/models"): _models,
    (_COPILOT, "/chat/completions"): _completions,
    (_GOOGLE, "loadCodeAssist"): _load,
    (_GOOGLE, "generateContent"): _code_assist_whole,
    (_GOOGLE, "streamGenerateContent"): _code_assist,
    **{
        (_GOOGLE, word): _nothing
        for word in ("listExperiments", "retrieveUserQuota", "recordCodeAssistMetrics")
    },
    (_GEMINI, "generateContent"): _generate,
    (_GEMINI, "streamGenerateContent"): _generate_stream,
}
