// Starts GraphiQL on the GraphQL endpoint of this instance. A query in the address (?query=…) is shown, not run.
"use strict";

(() => {
  const EXAMPLE = `# Ctrl+Enter runs this (Cmd+Enter on a Mac);
# Ctrl+Space shows what you can ask for.
# Public data needs no token. For more, add a
# header below: {"Authorization": "Bearer …"}

{
  hubs(first: 3) {
    nodes {
      slug
      name
      area {
        municipalityCount
      }
    }
  }
}
`;
  const asked = new URLSearchParams(location.search);
  const fetcher = window.GraphiQL.createFetcher({ url: "/graphql" });
  const app = window.React.createElement(window.GraphiQL, {
    fetcher,
    defaultQuery: EXAMPLE,
    query: asked.get("query") ?? undefined,
    variables: asked.get("variables") ?? undefined,
    defaultEditorToolsVisibility: true,
    shouldPersistHeaders: false, // a header may hold a token: it goes when the page goes
  });
  window.ReactDOM.createRoot(document.getElementById("graphiql")).render(app);
})();
