// Help and export, as dialogs of the browser itself: they keep the focus, and Esc closes them.

import { useEffect, useRef, useState } from "preact/hooks";
import { exportFile } from "../api/get";
import { plural } from "../text/number";
import { Trouble } from "./bits";
import { HELP } from "./keys";

function useModal(close: () => void) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current!;
    const before = document.activeElement as HTMLElement | null;
    dialog.showModal();
    dialog.addEventListener("close", close);
    return () => {
      dialog.removeEventListener("close", close);
      before?.focus?.();
    };
  }, []);
  return ref;
}

export function Help({ close }: { close: () => void }) {
  const ref = useModal(close);
  return (
    <dialog ref={ref} aria-labelledby="help-title" class="help">
      <h2 id="help-title">Keys</h2>
      <div class="help-groups">
        {HELP.map(([title, keys]) => (
          <section>
            <h3>{title}</h3>
            <dl>
              {keys.map(([key, said]) => (
                <>
                  <dt>{key.split("  ").map((k) => <kbd>{k}</kbd>)}</dt>
                  <dd>{said}</dd>
                </>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <div class="buttons"><button class="main" onClick={() => ref.current?.close()}>Close</button></div>
    </dialog>
  );
}

export interface Exportable {
  name: string;
  ids: string[];
}

export function Export({ choices, close }: { choices: Exportable[]; close: () => void }) {
  const ref = useModal(close);
  const [pick, setPick] = useState(0);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const save = async () => {
    setBusy(true);
    setError(null);
    try {
      const url = URL.createObjectURL(await exportFile(choices[pick]!.ids));
      const link = document.createElement("a");
      link.href = url;
      link.download = "clew-view.html";
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      ref.current?.close();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <dialog ref={ref} aria-labelledby="export-title">
      <h2 id="export-title">Export one file</h2>
      <p>An HTML file with all searches of these problems. It opens from disk, without clew and without a network.</p>
      <fieldset class="choices">
        <legend class="hidden">Which problems</legend>
        {choices.map((choice, i) => (
          <label>
            <input type="radio" name="what" checked={i === pick} onChange={() => setPick(i)} />
            {choice.name} <span class="quiet">({plural(choice.ids.length, "problem")})</span>
          </label>
        ))}
      </fieldset>
      {error !== null && <Trouble error={error} />}
      <div class="buttons">
        <button onClick={() => ref.current?.close()}>Cancel</button>
        <button class="main" disabled={busy} onClick={() => void save()} data-test="export-save">
          {busy ? "Writing…" : "Export"}
        </button>
      </div>
    </dialog>
  );
}
