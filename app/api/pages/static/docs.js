// Starts Swagger UI on the description that this instance publishes.
"use strict";

(async () => {
  // Swagger UI has a dark display but does not look at the preference of the visitor itself.
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();

  const reference = document.getElementById("reference");
  try {
    const answer = await fetch("/v1/openapi.json", { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const description = await answer.json();
    // The published server address is that of the public instance. Requests made from this page go to the instance
    // that shows it, wherever it runs: anything else is refused by the content security policy.
    const path = new URL(description.servers?.[0]?.url ?? "/", location.href).pathname;
    description.servers = [{ url: location.origin + path.replace(/\/$/, ""), description: "This instance" }];
    window.SwaggerUIBundle({
      spec: description,
      domNode: reference,
      deepLinking: true,
      filter: true,
      docExpansion: "list",
      defaultModelsExpandDepth: 0,
      displayRequestDuration: true,
      validatorUrl: null,
      presets: [window.SwaggerUIBundle.presets.apis],
    });
  } catch {
    const words = document.createElement("p");
    words.className = "plain";
    words.setAttribute("role", "alert");
    words.textContent = "The description of the API cannot be loaded right now. Please try again in a few minutes.";
    reference.replaceChildren(words);
  }
})();
