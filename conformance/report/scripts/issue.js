// An issue text in Markdown, for the maintainers of a framework.

/** What one would write to them: what was expected and found, and a script that shows it. */
export function issueText(run, details, name, index, tensors, reproduction) {
  const { outcomes, adapters, phases, dialects, messages } = run;
  const adapter = adapters[outcomes.adapter[index]];
  const verdict = run.verdict(index).name;
  const dialect = dialects[outcomes.dialect[index]];
  const operation = run.operation(run.caseIndex.get(name)).name;
  const source = document.querySelector(`section[data-operation="${CSS.escape(operation)}"] figcaption a`)?.href;
  const named = dialect && !run.unnamed.includes(dialect);
  return [
    `## ${operation}: ${adapter} ${verdict === "dialect" ? `computes ${dialect}` : verdict} in ${phases[outcomes.phase[index]]}`,
    `Versions: ${run.versions[adapter] ?? "unknown"}`,
    details.latex && `The published formula (${source ?? "source unknown"}):\n\n${fenced(details.latex, "math")}`,
    `Found: **${verdict}**${named ? ` (${dialect})` : ""}. ${messages[outcomes.message[index]]}`.trim(),
    tensors.length && numbers(run.worst(tensors)),
    `To reproduce:\n\n${fenced(reproduction, reproduction.includes("\n") ? "python" : "console")}`,
  ].filter(Boolean).join("\n\n") + "\n";
}

function numbers({ name, dtype, step, held_to: heldTo, elements }) {
  if (!elements.length) return null;
  const rows = elements.map(({ index, expected, actual, difference, digits, bound }, place) => {
    const shown = place ? digits : dtype === "float32" ? 9 : 17;
    return `| [${index.join(", ")}] | ${plain(expected, shown)} | ${plain(actual, shown)} | ${plain(difference, 3)} | ${plain(bound, 2)} |`;
  });
  return [
    `Tensor \`${name}\`, ${dtype}${step ? `, step ${step}` : ""}, measured from ${heldTo || "the published formula"}:`,
    "",
    "| index | expected | actual | difference | rounding error of the formula |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

/** A number that can be pasted into a program. */
function plain(value, digits) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : String(value);
}

/** A block of code, with a fence that is longer than any inside. */
function fenced(text, language) {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text.trimEnd()}\n${fence}`;
}
