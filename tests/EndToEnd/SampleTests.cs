using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>The small samples, each run as its first lines say.</summary>
public sealed partial class SampleTests : IDisposable
{
    private const int MaxLines = 150;

    private readonly string _data = Directory.CreateTempSubdirectory("kes-sample-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Theory]
    [InlineData("Counter")]
    [InlineData("Loyalty")]
    [InlineData("Orders")]
    public void Sample_is_short(string name) =>
        Directory.GetFiles(Path.Combine(Programs.Root, "samples", name), "*.cs").Sum(f => File.ReadLines(f).Count())
            .ShouldBeLessThan(MaxLines);

    [Fact]
    public async Task Counter_counts_without_MongoDB()
    {
        await using ProgramRun counter = ProgramRun.Start("dotnet", [Built("Counter"), "run", "--http-port", "0", "--data", _data]);
        using HttpClient http = await Serving(counter);
        (await http.PostAsJsonAsync("/counter/visits/count", new { by = 2 }, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await http.PostAsJsonAsync("/counter/visits/count", new { by = 0 }, Cancellation)).StatusCode.ShouldBe(
            HttpStatusCode.UnprocessableEntity);
        JsonElement read = await http.GetFromJsonAsync<JsonElement>("/counter/visits", Cancellation);
        read.GetProperty("state").GetProperty("total").GetInt64().ShouldBe(2);
        Directory.Exists(Path.Combine(_data, "mongodb")).ShouldBeFalse();
        (await counter.TerminateAsync(Cancellation)).ShouldBe(0);
    }

    [Fact]
    public async Task Loyalty_adds_an_aggregate_to_an_application()
    {
        var environment = new Dictionary<string, string>
        {
            ["KafkaEventSourcing__WaitForStart"] = "true",
            ["KafkaEventSourcing__DataDirectory"] = _data,
            ["KafkaEventSourcing__Drain"] = "00:00:00",
        };
        await using ProgramRun loyalty = ProgramRun.Start("dotnet", [Built("Loyalty"), "--urls", "http://127.0.0.1:0"], environment);
        using var http = new HttpClient
        {
            BaseAddress = new Uri((await loyalty.WaitForLineAsync(ListensOn(), Cancellation)).Groups[1].Value),
        };
        (await http.PostAsync("/customers/ada/orders?cents=1250", null, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await http.PostAsync("/customers/ada/rewards?points=10", null, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await http.PostAsync("/customers/ada/rewards?points=10", null, Cancellation)).StatusCode.ShouldBe(
            HttpStatusCode.UnprocessableEntity);
        (await http.GetStringAsync("/customers/ada", Cancellation)).ShouldBe("{\"name\":\"Ada\",\"points\":2}");
        (await http.GetAsync("/customers/nobody", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await http.GetAsync("/events/points/ada", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await http.GetStringAsync("/health/ready", Cancellation)).ShouldBe("Healthy");
        (await loyalty.TerminateAsync(Cancellation)).ShouldBe(0);
    }

    [Fact]
    public async Task Order_reserves_goods_and_has_a_web_service_send_them()
    {
        var parcel = new TaskCompletionSource<(string Key, JsonElement Body)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using WebApplication shipping = WebApplication.CreateSlimBuilder().Build();
        shipping.Urls.Add("http://127.0.0.1:0");
        shipping.MapPost("/parcels", (HttpRequest request, JsonElement body) =>
        {
            parcel.TrySetResult((request.Headers["Idempotency-Key"].ToString(), body));
            return Results.Ok();
        });
        await shipping.StartAsync(Cancellation);

        var environment = new Dictionary<string, string> { ["SHIPPING_URL"] = $"{shipping.Urls.First()}/parcels" };
        await using ProgramRun orders = ProgramRun.Start("dotnet", [Built("Orders"), "run", "--http-port", "0", "--data", _data],
            environment);
        using HttpClient http = await Serving(orders);
        (await http.PostAsJsonAsync("/stock/tea/stock-goods", new { quantity = 3 }, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await http.PostAsJsonAsync("/order/o1/place-order", new { goods = "tea", quantity = 2, address = "Prague" },
            Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (string key, JsonElement body) = await parcel.Task.WaitAsync(Cancellation);
        key.ShouldBe("o1");
        body.ToString().ShouldBe("{\"order\":\"o1\",\"goods\":\"tea\",\"quantity\":2,\"address\":\"Prague\"}");
        (await orders.TerminateAsync(Cancellation)).ShouldBe(0);
    }

    // In the place where the solution builds it.
    private static string Built(string name)
    {
        string configuration = Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar))!);
        return Path.Combine(Programs.Root, "samples", name, "bin", configuration, "net10.0", $"{name}.dll");
    }

    private static async Task<HttpClient> Serving(ProgramRun program) =>
        new() { BaseAddress = new Uri((await program.WaitForLineAsync(ServesAt(), Cancellation)).Groups[1].Value) };

    [GeneratedRegex(@"serves at (\S+) ")]
    private static partial Regex ServesAt();

    [GeneratedRegex(@"Now listening on: (\S+)")]
    private static partial Regex ListensOn();
}
