// Starts `medrecipe lsp` for recipes and hands everything to it.
"use strict";

const { homedir } = require("node:os");
const { commands, window, workspace } = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

let client;

function serverOptions() {
  const settings = workspace.getConfiguration("medrecipe");
  const command = settings.get("command").replace(/^~(?=[\\/])/, homedir());
  const args = ["lsp"];
  if (settings.get("localPlugins") && workspace.isTrusted) {
    args.push("--local-plugins");
  }
  return { command, args, transport: TransportKind.stdio };
}

async function start() {
  client = new LanguageClient("medrecipe", "medrecipe", serverOptions(), {
    documentSelector: [{ language: "sdn" }],
    synchronize: { fileEvents: workspace.createFileSystemWatcher("**/*.{sdn,jsonl,json,csv,txt,parquet,py}") },
  });
  try {
    await client.start();
  } catch (error) {
    window.showErrorMessage(
      `medrecipe could not be started (${error.message}). Install it with pip install 'medrecipe[lsp]', ` +
        "and set medrecipe.command to its path where VS Code does not find it."
    );
  }
}

async function stop() {
  const running = client;
  client = undefined;
  if (running && running.needsStop()) {
    await running.stop();
  }
}

async function restart() {
  await stop();
  await start();
}

async function activate(context) {
  context.subscriptions.push(
    commands.registerCommand("medrecipe.restart", restart),
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("medrecipe")) {
        restart();
      }
    })
  );
  await start();
}

module.exports = { activate, deactivate: stop };
