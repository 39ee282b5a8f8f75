import { render } from "preact";
import { App } from "./app";
import { apply } from "./palette";
import "./style/base.css";
import "./style/frame.css";
import "./style/list.css";
import "./style/search.css";
import "./style/text.css";
import "./style/charts.css";
import "./style/narrow.css";

apply();
render(<App />, document.getElementById("app")!);
