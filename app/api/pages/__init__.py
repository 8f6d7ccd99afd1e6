"""The pages for people: landing page, API reference, GraphiQL, and the small files that a web site owes its visitors."""

from app.api.pages.routes import PageData, graphiql_page, pages

__all__ = ["PageData", "graphiql_page", "pages"]
