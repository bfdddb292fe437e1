"""A logo that somebody uploads, made into a picture that can hold nothing else."""

import io

from PIL import Image, UnidentifiedImageError

SIZE_LIMIT_BYTES = 400_000
"""Of the file; a form may hold 512 KiB."""

PIXEL_LIMIT = 16_000_000
_SIDE = 512
_FORMATS = ("PNG", "JPEG", "WEBP")


def cleaned(content: bytes) -> bytes:
    """The picture drawn anew as PNG, 512 px at most: no metadata, nothing appended, no script.

    Raises ValueError where it is none of PNG, JPEG and WebP, or too large.
    """
    if len(content) > SIZE_LIMIT_BYTES:
        raise ValueError(f"a logo has at most {SIZE_LIMIT_BYTES // 1000} kB")
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            if picture.width * picture.height > PIXEL_LIMIT:
                raise ValueError("a logo has at most 16 million pixels")
            drawn = picture.convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError("a logo has at most 16 million pixels") from error
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError("it is no picture of the kinds PNG, JPEG and WebP") from error
    drawn.thumbnail((_SIDE, _SIDE))
    plain = Image.new("RGBA", drawn.size)
    plain.paste(drawn)
    saved = io.BytesIO()
    plain.save(saved, "PNG", optimize=True)
    return saved.getvalue()
