"use strict";
// Asks the server that this page came from, and nothing else. Whatever is shown goes through textContent.

const at = (id) => document.getElementById(id);
const made = (kind, name, text = "") => {
  const element = document.createElement(kind);
  element.className = name;
  element.textContent = text;
  return element;
};
const COMPARED = "base";

let models = new Map(); // facts by id
let turns = []; // {said, template, answers: Map from model id to text}
let running = null; // AbortController of the question that is being answered
let token = "";

const headers = () => ({
  "Content-Type": "application/json",
  ...(token ? { Authorization: `Bearer ${token}` } : {}),
});

class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function fetched(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { headers: headers(), ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("the server cannot be reached", 0);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Refused(body.error?.message ?? `the server answered ${response.status}`, response.status);
}

// --- who answers ---

async function load() {
  let listed;
  try {
    listed = await (await fetched("/v1/models")).json();
  } catch (error) {
    failed(error);
    return;
  }
  at("token-form").hidden = true;
  at("ask").hidden = at("choices").hidden = false;
  models = new Map(listed.data.map((model) => [model.id, model.medrecipe]));
  const facts = [...models.values()][0];
  at("run").textContent = `run ${facts.run}`;
  at("model").replaceChildren(...[...models].map(([id, its]) => choice(id, named(id, its))));
  chosen();
  at("send").disabled = false;
  tell("");
  at("question").focus();
}

function named(id, facts) {
  if (facts.rejected) return `${id} (rejected by its contract)`;
  return facts.phase === id ? id : `${id} (${facts.phase})`;
}

function choice(value, text = value) {
  const option = made("option", "", text);
  option.value = value;
  return option;
}

function failed(error) {
  const asks = error.status === 401;
  at("token-form").hidden = !asks;
  at("ask").hidden = asks;
  if (asks) at("token").focus();
  tell(asks && token ? "that is not its token" : asks ? "" : error.message);
}

const facts = () => models.get(at("model").value);
const template = () => facts()?.templates.find((each) => each.name === at("template").value);

function chosen() {
  at("template").replaceChildren(...facts().templates.map((each) => choice(each.name)));
  at("template").value = facts().template;
  at("compare-choice").hidden = !models.has(COMPARED) || facts().phase === COMPARED;
  asking();
}

function asking() {
  const { type, multiline, takes_turns: takesTurns } = template();
  at("hint").textContent = type + (takesTurns ? "; what was said before goes along" : "; each question stands alone");
  at("question").rows = multiline ? 6 : 2;
  at("question").placeholder = multiline && type.includes("A)") ? "Which …?\nA) …\nB) …\nC) …\nD) …\nE) …" : "";
  at("keys").textContent = multiline ? "Ctrl+Enter asks" : "Enter asks, Shift+Enter begins a line";
}

// --- asking ---

async function ask() {
  const said = at("question").value;
  if (running || !models.size || !said.trim()) return;
  const who = [at("model").value];
  if (at("compare").checked && !at("compare-choice").hidden) who.push(COMPARED);
  const turn = { said, template: at("template").value, answers: new Map() };
  const earlier = template().takes_turns ? turns.filter((each) => each.template === turn.template) : [];
  const places = shown(said, who);
  running = new AbortController();
  at("question").value = "";
  busy(true);
  const ends = await Promise.all(
    who.map((model, n) => answered(model, turn, earlier, places[n], running.signal)),
  );
  turns.push(turn);
  running = null;
  busy(false);
  tell(ends.join("; "));
  if (at("ask").hidden) return;
  if (!turn.answers.size) at("question").value ||= said;
  at("question").focus();
}

function shown(said, who) {
  at("empty")?.remove();
  const turn = made("section", "turn");
  const answers = made("div", "answers");
  const places = who.map((model) => {
    const place = made("article", "answer");
    place.setAttribute("aria-busy", "true");
    place.append(made("h2", "", model), made("p", "text"));
    answers.append(place);
    return place;
  });
  turn.append(made("p", "said", said), answers);
  at("talk").append(turn);
  turn.scrollIntoView({ block: "end" });
  return places;
}

function messagesFor(model, turn, earlier) {
  const before = earlier.filter((each) => each.answers.get(model));
  return [
    ...before.flatMap((each) => [
      { role: "user", content: each.said },
      { role: "assistant", content: each.answers.get(model) },
    ]),
    { role: "user", content: turn.said },
  ];
}

function body(model, turn, earlier) {
  const number = (id) => (at(id).value === "" ? undefined : Number(at(id).value));
  return JSON.stringify({
    model,
    template: turn.template,
    messages: messagesFor(model, turn, earlier),
    temperature: number("temperature"),
    max_tokens: number("tokens"),
    seed: number("seed"),
    stream: true,
    stream_options: { include_usage: true },
  });
}

/** Show one model's answer as it comes; return what is to be told of its end. */
async function answered(model, turn, earlier, place, signal) {
  const told = { text: "", tokens: null, confidence: null, finish: null };
  try {
    const options = { method: "POST", body: body(model, turn, earlier), signal };
    const response = await fetched("/v1/chat/completions", options);
    for await (const chunk of events(response.body)) take(chunk, told, place);
    if (!told.finish) throw new Refused("the answer was cut off", 0);
  } catch (error) {
    if (error.name === "AbortError") told.finish = "stopped";
    else complain(error, place);
  }
  place.setAttribute("aria-busy", "false");
  if (!told.finish) return `${model}: no answer`;
  turn.answers.set(model, told.text);
  if (!told.text.trim()) place.querySelector(".text").replaceChildren(made("span", "none", "(no text)"));
  place.append(made("p", "facts", summary(told)));
  return `${model}: ${told.finish === "stopped" ? "stopped" : "answered"}`;
}

function take(chunk, told, place) {
  if (chunk.error) throw new Refused(chunk.error.message, 0);
  const choice = chunk.choices[0];
  if (choice?.delta.content) {
    told.text += choice.delta.content;
    const low = nearEnd();
    place.querySelector(".text").textContent = told.text.trimStart();
    if (low) at("talk").scrollTop = at("talk").scrollHeight;
  }
  if (choice?.finish_reason) {
    told.finish = choice.finish_reason;
    told.confidence = chunk.medrecipe?.confidence ?? null;
  }
  if (chunk.usage) told.tokens = chunk.usage.completion_tokens;
}

function nearEnd() {
  const talk = at("talk");
  return talk.scrollHeight - talk.scrollTop - talk.clientHeight < 80;
}

function summary(told) {
  const parts = [];
  if (told.tokens !== null) parts.push(`${told.tokens} ${told.tokens === 1 ? "token" : "tokens"}`);
  if (told.confidence !== null) parts.push(`confidence ${told.confidence.toFixed(2)}`);
  const ends = { length: "cut at its most tokens", stopped: "stopped" };
  if (ends[told.finish]) parts.push(ends[told.finish]);
  return parts.join(" · ");
}

function complain(error, place) {
  if (error.status === 401) failed(error);
  place.append(made("p", "wrong", error.message));
}

/** Yield the JSON of server-sent events. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const found = (rest + value).split("\n\n");
    rest = found.pop();
    for (const each of found) {
      const data = each.replace(/^data: /, "");
      if (data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

// --- the page ---

function busy(on) {
  at("send").disabled = on;
  at("stop").disabled = !on;
  at("forget").disabled = on;
  for (const id of ["model", "template", "compare"]) at(id).disabled = on;
  if (on) tell("writing …");
}

function tell(text) {
  at("status").textContent = text;
}

function forget() {
  turns = [];
  at("talk").replaceChildren();
  at("forget").disabled = true;
  tell("cleared");
  at("question").focus();
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
at("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  at("token").value = "";
  load();
});
at("question").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  if (template()?.multiline && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  ask();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort();
});
at("stop").addEventListener("click", () => running?.abort());
at("forget").addEventListener("click", forget);
at("model").addEventListener("change", chosen);
at("template").addEventListener("change", asking);
load();
