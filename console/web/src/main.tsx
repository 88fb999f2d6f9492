import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { pageAt } from "./pages.ts";

// The page that is asked for gets ready while the console finds out who is there.
pageAt(location.pathname)
  ?.load()
  .catch(() => {});

const place = document.getElementById("console");
if (place) createRoot(place).render(<App />);
