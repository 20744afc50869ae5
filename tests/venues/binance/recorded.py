"""Real payloads where they are beside the repository, and small ones of our own that always are."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

DATA = Path(__file__).parents[4] / "shared" / "data"
PAYLOADS = DATA / "venue_json" / "binance" / "spot"
PAYLOADS_SEEN = DATA / "venue_json" / "binance_py"
CAPTURE = DATA / "ws_raw" / "binance_spot_btcusdt_20240808.jsonl.gz"
EXCHANGE_INFO_2021 = DATA / "ws_raw" / "cryptofeed" / "BINANCE.0.gz"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the folder shared/data with real market data is not beside this repository"
)

ORDER = (
    b'{"symbol":"BTCUSDT","orderId":7,"orderListId":-1,"clientOrderId":"ours","transactTime":1700000000123,'
    b'"price":"30000.00","origQty":"0.5","executedQty":"0.2","origQuoteOrderQty":"0.0",'
    b'"cummulativeQuoteQty":"6000.00","status":"PARTIALLY_FILLED","timeInForce":"GTC","type":"LIMIT","side":"BUY",'
    b'"workingTime":1700000000123,"selfTradePreventionMode":"NONE","fills":[{"price":"30000.00","qty":"0.2",'
    b'"commission":"0.0002","commissionAsset":"BTC","tradeId":91}]}'
)
EXECUTION = (
    b'{"subscriptionId":0,"event":{"e":"executionReport","E":1700000000200,"s":"BTCUSDT","c":"ours","S":"SELL",'
    b'"o":"STOP_LOSS","f":"GTC","q":"0.5","p":"0.0","P":"29000.00","F":"0.0","g":-1,"C":"","x":"TRADE",'
    b'"X":"FILLED","r":"NONE","i":8,"l":"0.3","z":"0.5","L":"28990.10","n":"8.69","N":"USDT","T":1700000000199,'
    b'"t":92,"I":5,"w":false,"m":false,"M":true,"O":1700000000000,"Z":"14495.0","Y":"8697.03","Q":"0.0","V":"NONE"}}'
)


def capture_frames() -> Iterator[bytes]:
    """The frames of the recorded six minutes as they were received; the REST snapshot among them lacks a stream."""
    with gzip.open(CAPTURE, "rb") as lines:
        for line in lines:
            yield line.partition(b" ")[2].rstrip()
