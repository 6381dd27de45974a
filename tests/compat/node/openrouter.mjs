import { OpenRouter } from "@openrouter/sdk";
import { KEY, PARAMETERS, PNG, SCHEMA, URL, failure, say, tell } from "./shared.mjs";

const client = new OpenRouter({
  apiKey: KEY, serverURL: `${URL}/api/v1`, retryConfig: { strategy: "none" },
});
const tools = [{
  type: "function",
  function: { name: "get_weather", description: "The weather.", parameters: PARAMETERS },
}];
const calls = (made) => made.map((c) => [c.function.name, JSON.parse(c.function.arguments)]);

async function read(stream) {
  const got = { text: "", thought: "", pieces: 0, calls: [] };
  for await (const chunk of stream) {
    if (chunk.error) throw new Error(chunk.error.message);
    for (const { delta } of chunk.choices) {
      if (delta.content) { got.text += delta.content; got.pieces += 1; }
      got.thought += delta.reasoning ?? "";
      for (const piece of delta.toolCalls ?? []) {
        const kept = got.calls[piece.index] ??= { id: "", type: "function", function: { name: "", arguments: "" } };
        kept.id ||= piece.id ?? "";
        kept.function.name += piece.function?.name ?? "";
        kept.function.arguments += piece.function?.arguments ?? "";
      }
    }
  }
  return got;
}

await tell(async (model) => {
  const ask = (content, more = {}) => client.chat.send({
    chatRequest: { model, maxTokens: 4000, messages: [{ role: "user", content }], ...more },
  });
  const whole = await ask(say("text"));
  const streamed = await read(await ask(say("text"), { stream: true }));
  const first = await read(await ask(say("loop"), { tools, stream: true }));
  const second = await ask(say("loop"), {
    tools,
    messages: [
      { role: "user", content: say("loop") },
      { role: "assistant", content: first.text || null, toolCalls: first.calls },
      ...first.calls.map((c) => ({ role: "tool", toolCallId: c.id, content: "15 degrees" })),
    ],
  });
  const jsonSchema = { name: "person", strict: true, schema: SCHEMA };
  const person = await ask(say("schema"), { responseFormat: { type: "json_schema", jsonSchema } });
  const reasoning = { effort: "medium" };
  const thought = await read(await ask(say("thinking"), { reasoning, stream: true }));
  const url = `data:image/png;base64,${PNG}`;
  const seen = await ask([{ type: "text", text: say("image") }, { type: "image_url", imageUrl: { url } }]);
  return {
    text: whole.choices[0].message.content,
    usage: [whole.usage.promptTokens, whole.usage.completionTokens],
    streamed: streamed.text,
    pieces: streamed.pieces,
    calls: calls((await ask(say("tools"), { tools })).choices[0].message.toolCalls),
    streamed_calls: calls(first.calls),
    loop: second.choices[0].message.content,
    person: JSON.parse(person.choices[0].message.content),
    thought: thought.thought,
    image: seen.choices[0].message.content,
    late: await failure(async () => read(await ask(say("late"), { stream: true }))),
    refused: await failure(() => ask(say("refused"))),
  };
});
