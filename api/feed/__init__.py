"""What happens in a workspace, by topic, in one order: asked for page by page, or followed as it comes."""

from api.feed.fields import FeedQueries, FeedSubscriptions

__all__ = ["FeedQueries", "FeedSubscriptions"]
