"""The page, drawn with Streamlit."""
