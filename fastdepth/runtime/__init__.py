"""The runtime that an app embeds: an exported file opened, fed with images, answering in metres."""
