import Anthropic from "@anthropic-ai/sdk";
import { KEY, PARAMETERS, PNG, SCHEMA, URL, failure, say, tell } from "./shared.mjs";

const client = new Anthropic({ baseURL: `${URL}/api`, apiKey: KEY, maxRetries: 0 });
const tools = [{ name: "get_weather", description: "The weather.", input_schema: PARAMETERS }];
const image = { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } };
const text = (message) => message.content.filter((b) => b.type === "text").map((b) => b.text).join("");
const calls = (message) => message.content.filter((b) => b.type === "tool_use").map((b) => [b.name, b.input]);

await tell(async (model) => {
  const ask = (content, more = {}) => ({
    model, max_tokens: 4000, messages: [{ role: "user", content }], ...more,
  });
  const whole = await client.messages.create(ask(say("text")));
  const stream = client.messages.stream(ask(say("text")));
  let pieces = 0;
  stream.on("text", () => { pieces += 1; });
  const streamed = await stream.finalMessage();
  const first = await client.messages.stream(ask(say("loop"), { tools })).finalMessage();
  const results = first.content.filter((b) => b.type === "tool_use")
    .map((b) => ({ type: "tool_result", tool_use_id: b.id, content: "15 degrees" }));
  const second = await client.messages.create({
    ...ask(say("loop"), { tools }),
    messages: [
      { role: "user", content: say("loop") },
      { role: "assistant", content: first.content },
      { role: "user", content: results },
    ],
  });
  const person = await client.messages.create(ask(say("schema"), {
    output_config: { format: { type: "json_schema", schema: SCHEMA } },
  }));
  const thinking = { type: "enabled", budget_tokens: 2000 };
  const thought = await client.messages.stream(ask(say("thinking"), { thinking })).finalMessage();
  const seen = await client.messages.create(ask([image, { type: "text", text: say("image") }]));
  return {
    text: text(whole),
    usage: [whole.usage.input_tokens, whole.usage.output_tokens],
    streamed: text(streamed),
    pieces,
    calls: calls(await client.messages.create(ask(say("tools"), { tools }))),
    streamed_calls: calls(first),
    loop: text(second),
    person: JSON.parse(text(person)),
    thought: thought.content.filter((b) => b.type === "thinking").map((b) => b.thinking).join(""),
    image: text(seen),
    late: await failure(() => client.messages.stream(ask(say("late"))).finalMessage()),
    refused: await failure(() => client.messages.create(ask(say("refused")))),
  };
});
